"""The training of the segmentation network: its loss, its labels, the selected epoch, its files."""

import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.chain import CLASSES, SIZES, Toy
from support.processes import in_two_processes
from support.training import machine, micro_step, send_stop_signal, trainer_of
from torch.nn import functional

from workflow.scripts.train_segmentation import train_segmentation
from wsss import losses
from wsss.config import SegmentationTrainingConfig
from wsss.data.images import read_image
from wsss.data.palette import read_mask
from wsss.errors import Preempted, UserError
from wsss.inference.shards import open_pseudo_labels
from wsss.metrics import ConfusionMatrix
from wsss.models import DeepLabV3Plus
from wsss.store.networks import load_network
from wsss.training.networks import new_network
from wsss.training.optim import parameter_groups
from wsss.training.samples import Masks, Supervision, segmentation_samples
from wsss.training.task import Batch, StepInfo
from wsss.training.tasks import SegmentationTask
from wsss.training.validation import Validation

pytestmark = pytest.mark.usefixtures("here")


def segmenter(section: SegmentationTrainingConfig) -> DeepLabV3Plus:
    """The network of a section, for the classes of the toy run."""
    return new_network(DeepLabV3Plus, section, CLASSES, "d")[0]


def masks_of(toy: Toy) -> Supervision:
    """The images of the toy run with their masks."""
    return Supervision(toy.index, Masks(toy.index))


# ---- the loss ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_mean_over_labeled_pixels(smoothing: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((2, 4, 5, 6), generator=generator)
    labels = torch.randint(0, 4, (2, 5, 6), generator=generator)
    labels[:, 2] = 255
    found = losses.segmentation_loss(logits, labels.to(torch.uint8), smoothing=smoothing)
    expected = functional.cross_entropy(logits, labels, ignore_index=255, label_smoothing=smoothing)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    counts = torch.tensor([losses.labeled_pixels(part) for part in labels]).mean()
    parts = [
        losses.segmentation_loss(logits[i : i + 1], labels[i : i + 1], smoothing=smoothing, count=counts)
        for i in (0, 1)
    ]
    assert torch.stack(parts).mean().item() == pytest.approx(expected.item(), rel=1e-6)


def test_images_without_any_label_cost_nothing() -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = losses.segmentation_loss(logits, torch.full((1, 2, 2), 255))
    loss.backward()
    assert loss.item() == 0 and logits.grad is not None and not logits.grad.any()


def test_the_head_learns_ten_times_as_fast(toy: Toy) -> None:
    network = segmenter(toy.run.config.segmentation.training)
    groups = parameter_groups(network, network.head_modules(), toy.step("segmentation").section.optimisation)
    rates = sorted({group["lr"] for group in groups})
    assert rates == pytest.approx([0.007, 0.014, 0.07, 0.14])


@pytest.mark.parametrize("norm", ["group", "batch"])
def test_a_step_changes_the_network(toy: Toy, norm: str) -> None:
    section = toy.run.config.segmentation.training
    network_section = section.network.model_copy(update={"head_norm": norm})
    section = section.model_copy(update={"network": network_section})
    network = segmenter(section)
    samples = segmentation_samples(section, masks_of(toy), network)
    batch: Batch = torch.utils.data.default_collate([samples[0, 0], samples[0, 1]])
    assert batch["image"].shape == (2, 3, 32, 32) and batch["label_map"].shape == (2, 32, 32)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    task = SegmentationTask(network, section)
    values = micro_step(trainer_of(task, section.optimisation, 3), batch)
    assert set(values) == {"segmentation"} and np.isfinite(values["segmentation"])
    after = network.state_dict()
    assert {name.split(".")[0] for name in after if not torch.equal(after[name], before[name])} == {
        "backbone",
        "aspp",
        "decoder",
    }
    assert any("running_mean" in name for name in after if name.startswith("aspp")) == (norm == "batch")


def test_label_smoothing_reaches_the_loss(toy: Toy) -> None:
    section = toy.run.config.segmentation.training
    network = segmenter(section).eval()
    samples = segmentation_samples(section, masks_of(toy), network)
    batch: Batch = torch.utils.data.default_collate([samples[0, 0], samples[0, 1]])
    smoothed = section.model_copy(update={"label_smoothing": 0.1})
    plain, smooth = (
        next(SegmentationTask(network, keys).objectives(batch, StepInfo(0, 9, 0))).total
        for keys in (section, smoothed)
    )
    logits = network(batch["image"])
    assert plain.item() == pytest.approx(
        losses.segmentation_loss(logits, batch["label_map"]).item(), rel=1e-5
    )
    assert smooth.item() == pytest.approx(
        losses.segmentation_loss(logits, batch["label_map"], smoothing=0.1).item(), rel=1e-5
    )


# ---- what it is trained on ---------------------------------------------------------------------------------


def test_it_is_trained_on_pseudo_labels_or_masks(toy: Toy) -> None:
    step = toy.step("segmentation")
    labels = [toy.truth("pseudo_labels")]
    pseudo = Supervision.of(*open_pseudo_labels(step, toy.index_path, labels))
    assert len(pseudo.index) == 6, "without labels, an image is background"
    truth = Supervision.of(*open_pseudo_labels(step, toy.index_path, []))
    assert np.array_equal(truth.maps("id1"), read_mask(toy.index.records[1].mask or ""))
    assert truth.maps("id1").shape == SIZES[1]


def test_images_without_a_mask_are_left_out_of_the_upper_bound(toy: Toy) -> None:
    bare = tuple(replace(record, mask=None) for record in toy.index)
    one = replace(toy.index, records=(toy.index.records[0], *bare[1:]))
    assert len(Supervision.of(one, {}).index) == 1
    with pytest.raises(UserError, match=r"split train: none of its 6 images has a mask .*selection"):
        Supervision.of(replace(toy.index, records=bare), {})


# ---- the selection of the epoch ----------------------------------------------------------------------------


def test_the_network_is_scored_on_whole_images(toy: Toy) -> None:
    network = segmenter(toy.run.config.segmentation.training).eval()
    maps = Masks(toy.index)
    found = Validation(masks_of(toy), "float32", machine())(network)
    confusion = ConfusionMatrix(4)
    for record in toy.index:
        image = network.normalization(np.asarray(read_image(record.image)))[None]
        with torch.no_grad():
            logits = network(image)
        assert logits.shape[-2:] == maps(record.id).shape
        confusion.update(logits[0].argmax(0).numpy(), maps(record.id))
    assert found == {"val/miou": pytest.approx(100 * confusion.miou())}


def test_a_signal_to_all_processes_does_not_end_a_validation(toy: Toy) -> None:
    """A scheduler's signal reaches those that load images, too; the training saves itself afterwards."""
    network = segmenter(toy.run.config.segmentation.training).eval()
    undisturbed = Validation(masks_of(toy), "float32", machine())(network)

    def signal_all(*_: object) -> None:
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGUSR1)
            os.kill(child.pid or 0, signal.SIGTERM)

    handle = network.register_forward_pre_hook(signal_all)
    disturbed = Validation(masks_of(toy), "float32", machine(workers=2))(network)
    handle.remove()
    assert disturbed == undisturbed


def test_processes_share_a_validation(toy: Toy, tmp_path: Path) -> None:
    network = segmenter(toy.run.config.segmentation.training).eval()
    score = Validation(masks_of(toy), "float32", machine())
    alone = score(network)["val/miou"]
    assert in_two_processes(tmp_path, lambda rank: torch.tensor(score(network)["val/miou"])) == [
        pytest.approx(alone),
        pytest.approx(alone),
    ]


def train(toy: Toy, out: Path, **options: Any) -> dict[str, torch.Tensor]:
    """The weights that a training on the images' own masks, as pseudo labels, ends with."""
    files = {"labels": [toy.truth("pseudo_labels")], "val_index": None, "val_labels": []}
    files |= {"out": out, "metrics": out.with_suffix(".csv"), **options}
    train_segmentation(toy.step("segmentation", **files))
    return load_file(out)


def course_of(out: Path) -> list[str]:
    """The scores that the epochs were chosen by, of the metrics of a training."""
    header, *rows = (line.split(",") for line in out.with_suffix(".csv").read_text().splitlines())
    if "val/miou" not in header:
        return []
    return [row[header.index("val/miou")] for row in rows if row[header.index("val/miou")]]


def test_a_trained_network_is_in_its_file(toy: Toy, tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    train(toy, out)
    network, about = load_network(out, DeepLabV3Plus)
    assert about.digest == toy.run.digest("segmentation") and about.classes == CLASSES
    assert network(torch.rand(1, 3, 40, 48)).shape == (1, 4, 40, 48)
    assert course_of(out) == [], "no index, no choice"


def test_head_norm_is_part_of_the_file(tmp_path: Path) -> None:
    toy = Toy(tmp_path, segmentation={"training": {"network": {"head_norm": "batch"}}})
    out = tmp_path / "a.safetensors"
    train(toy, out)
    network, about = load_network(out, DeepLabV3Plus)
    assert about.head_norm == "batch"
    assert any("running_mean" in name for name in network.aspp.state_dict())


def test_an_interrupted_training_chooses_the_same_epoch_and_ends_with_the_same_bits(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    val = {"val_index": toy.index_path, "val_labels": [toy.truth("pseudo_labels", "val")]}
    undisturbed = train(toy, tmp_path / "a.safetensors", **val)
    assert len(course_of(tmp_path / "a.safetensors")) == 2
    objectives = SegmentationTask.objectives

    def ask_and_step(self: SegmentationTask, batch: Batch, info: StepInfo) -> Any:
        send_stop_signal()
        return objectives(self, batch, info)

    monkeypatch.setattr(SegmentationTask, "objectives", ask_and_step)
    pieces = 1
    while True:
        try:
            resumed = train(toy, tmp_path / "b.safetensors", **val)
            break
        except Preempted:
            pieces += 1
    assert pieces == 6, "one per step: two epochs of three batches"
    assert [name for name in resumed if not torch.equal(resumed[name], undisturbed[name])] == []
    assert course_of(tmp_path / "b.safetensors") == course_of(tmp_path / "a.safetensors")


def test_labels_of_another_configuration_are_refused(toy: Toy, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="wrong: made from another configuration"):
        train(toy, tmp_path / "a", labels=[toy.truth("masks", "wrong")])
