"""The trainings of C2AM and PoolNet: what they minimize, on what, and that they resume."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.images import (
    CLASSES,
    SIZES,
    c2am_section,
    make_cams,
    make_images,
    make_masks,
    poolnet_section,
)
from support.processes import in_two_processes
from support.training import Job, in_pieces, machine
from torch import Tensor, nn
from torch.utils.data import Dataset

from wsss import losses
from wsss.config import C2amConfig, PoolnetConfig
from wsss.data.index import Index
from wsss.data.samples import collate, with_labels
from wsss.errors import UserError
from wsss.machine import distributed
from wsss.models import C2AM, PoolNet
from wsss.store.cams import CamShard
from wsss.store.label_maps import LabelShard, write_label_shard
from wsss.training.networks import new_network
from wsss.training.optim import make_optimizer, parameter_groups
from wsss.training.samples import CamHints, c2am_samples, poolnet_samples
from wsss.training.task import Batch, StepInfo, Task
from wsss.training.tasks import C2amTask, PoolnetTask
from wsss.training.trainer import Trainer


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return make_images(tmp_path)


@pytest.fixture
def hints(tmp_path: Path, index: Index) -> CamHints:
    shard = CamShard(make_cams(tmp_path / "cams.safetensors", index))
    return CamHints(dict.fromkeys(shard.ids, shard))


@pytest.fixture
def masks(tmp_path: Path, index: Index) -> dict[str, LabelShard]:
    shard = LabelShard(make_masks(tmp_path / "masks", index))
    return dict.fromkeys(shard.ids, shard)


def c2am_of(section: C2amConfig) -> C2AM:
    """The network of a section."""
    return new_network(C2AM, section, CLASSES, "d")[0]


def poolnet_of(section: PoolnetConfig) -> PoolNet:
    """The network of a section."""
    return new_network(PoolNet, section, CLASSES, "d")[0]


def batch_of(samples: Dataset, *keys: tuple[int, int]) -> Batch:
    """These samples, as the engine puts them together."""
    batch: Batch = collate([samples[key] for key in keys])
    return batch


def terms(task: Task, batch: Batch, info: StepInfo | None = None) -> dict[str, Tensor]:
    """The loss terms of a batch."""
    (objective,) = task.objectives(batch, info or StepInfo(0, 10, 0))
    return objective.terms


# ---- C2AM --------------------------------------------------------------------------------------------------


def test_a_hint_is_the_largest_cam_and_goes_where_the_image_goes(index: Index, hints: CamHints) -> None:
    hint = hints("id1")
    assert hint.shape == SIZES[1] and hint.dtype == np.float32
    assert hint[:, :8].min() == pytest.approx(1, abs=1e-4) and hint[:, 56:].max() == 0
    assert hints("id5").max() == 0, "an image without labels has no CAM"
    labeled, _ = with_labels(index)
    section = c2am_section()
    samples = c2am_samples(section, labeled, c2am_of(section), hints)
    assert len(samples) == 5  # type: ignore[arg-type]
    first = samples[0, 1]
    assert first["image"].shape == (3, 64, 64) and first["hint"].shape == (1, 64, 64)
    again, other = samples[0, 1], samples[1, 1]
    assert torch.equal(first["hint"], again["hint"]) and not torch.equal(first["image"], other["image"])
    lefts = [samples[epoch, 1]["hint"][0, :, :16].mean() > 0.5 for epoch in range(12)]
    assert set(map(bool, lefts)) == {True, False}, "half of the images are mirrored, and their hints"


def test_c2am_h_minimizes_the_contrast_and_the_hints(index: Index, hints: CamHints) -> None:
    section = c2am_section(hints={"weight": 0.5, "label_smoothing": 0.2})
    network = c2am_of(section).eval()
    labeled, _ = with_labels(index)
    batch = batch_of(c2am_samples(section, labeled, network, hints), (0, 0), (0, 1), (0, 2))
    task = C2amTask(network, section, hints=True)
    (objective,) = task.objectives(batch, StepInfo(9, 10, 9))
    foreground, background, activation = network(batch["image"])
    contrast = losses.c2am_loss(foreground, background, 0.25)
    hint = losses.hint_loss(activation, batch["hint"], fg_threshold=0.4, label_smoothing=0.2)
    assert objective.total.item() == pytest.approx((contrast + 0.5 * hint).item(), rel=1e-5)
    assert list(objective.terms) == ["foreground", "background", "contrast", "hints"]
    assert not task.flip, "hints say which is the object"


def test_no_hint_in_a_batch_is_0_and_not_nan(index: Index, hints: CamHints) -> None:
    section = c2am_section(hints={"fg_threshold": 1.0})
    network = c2am_of(section)
    labeled, _ = with_labels(index)
    batch = batch_of(c2am_samples(section, labeled, network, hints), (0, 0), (0, 1))
    batch["hint"].zero_()
    loss = terms(C2amTask(network, section, hints=True), batch)["hints"]
    loss.backward()
    assert loss.item() == 0
    gradient = network.activation[0].weight.grad
    assert gradient is not None and not gradient.any()


def test_the_head_learns_ten_times_as_fast() -> None:
    section = C2amConfig()
    network = c2am_of(c2am_section())
    groups = parameter_groups(network, network.head_modules(), section.optimisation)
    head = {id(parameter) for parameter in network.activation.parameters()}
    rates = {
        kind: sorted({group["lr"] for group in groups if (id(group["params"][0]) in head) == kind})
        for kind in (True, False)
    }
    assert rates[True] == pytest.approx([1e-2, 2e-2]) and rates[False] == pytest.approx([1e-3, 2e-3])


class Shows(nn.Module):
    """Stands for a C2AM whose activation is given."""

    def __init__(self, activation: Tensor) -> None:
        super().__init__()
        self.activation = activation
        self.features = torch.rand(2, len(activation), 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.features[0], self.features[1], self.activation

    def head_modules(self) -> list[nn.Module]:
        return []


@pytest.mark.parametrize(("border", "flip"), [(3.0, True), (-3.0, False)])
def test_plain_c2am_finds_its_polarity_by_the_borders(border: float, flip: bool) -> None:
    activation = torch.full((2, 1, 5, 6), -border)
    activation[..., 0, :] = activation[..., -1, :] = activation[..., 0] = activation[..., -1] = border
    network: Any = Shows(activation)
    task = C2amTask(network, c2am_section(optimisation={"epochs": 4}), hints=False)
    batch: Batch = {"image": torch.zeros(2, 3, 8, 8), "id": ["a", "b"]}
    network.activation = -activation
    for step in range(6):  # three of four epochs of two steps
        terms(task, batch, StepInfo(step, 8, step))
    assert not task.flip and task.border_steps == 0, "only the last epoch counts"
    network.activation = activation
    terms(task, batch, StepInfo(6, 8, 6))
    resumed = C2amTask(network, task.settings, hints=False)
    resumed.load_state_dict(task.state_dict())
    terms(resumed, batch, StepInfo(7, 8, 7))
    assert resumed.border_steps == 2 and resumed.flip == flip
    assert resumed.border / 2 == pytest.approx(torch.tensor(border).sigmoid().item())


def test_two_processes_contrast_the_whole_batch(tmp_path: Path, index: Index, hints: CamHints) -> None:
    section = c2am_section()
    labeled, _ = with_labels(index)
    samples = c2am_samples(section, labeled, c2am_of(section), hints)

    def look(positions: list[int]) -> tuple[dict[str, Tensor], list[Tensor]]:
        # in evaluation mode: batch norm alone sees a process's own part, as published
        network = c2am_of(section).eval()
        batch = batch_of(samples, *((0, position) for position in positions))
        (objective,) = C2amTask(network, section, hints=True).objectives(batch, StepInfo(0, 10, 0))
        objective.total.backward()
        parameters = list(network.parameters())
        distributed.average_gradients(parameters)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        return {name: term.detach() for name, term in objective.terms.items()}, gradients

    one = look([0, 1, 2, 3])
    for found in in_two_processes(tmp_path, lambda rank: look([[0, 1], [2, 3]][rank])):
        torch.testing.assert_close(found[0], one[0])
        torch.testing.assert_close(found[1], one[1], rtol=1e-4, atol=1e-6)


# ---- PoolNet -----------------------------------------------------------------------------------------------


def test_samples_of_poolnet_are_images_at_their_own_size(index: Index, masks: dict[str, LabelShard]) -> None:
    section = poolnet_section()
    samples = poolnet_samples(section, index, poolnet_of(section), masks)
    assert len(samples) == len(index), "masks of images without labels are learned from, too"
    for position, size in enumerate(SIZES):
        sample = samples[0, position]
        assert sample["image"].shape == (3, *size) and sample["mask"].shape == (1, *size)
        assert set(sample["mask"].unique().tolist()) == {0.0, 1.0}
    lefts = {bool(samples[epoch, 0]["mask"][0, 0, 0]) for epoch in range(12)}
    assert lefts == {True, False}


def test_the_published_backbone_sees_bgr(index: Index, masks: dict[str, LabelShard]) -> None:
    network = PoolNet("resnet50_caffe")
    sample = poolnet_samples(poolnet_section(), index, network, masks)[0, 0]
    image = np.asarray(Image.open(index.records[0].image)).astype(np.float32)
    expected = image[..., ::-1] - np.array([104.00699, 116.66877, 122.67892], np.float32)
    found = sample["image"].numpy().transpose(1, 2, 0)
    if not sample["mask"][0, 0, 0]:
        found = found[:, ::-1]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_one_adam_one_rate_and_fixed_statistics() -> None:
    section = poolnet_section()
    network = poolnet_of(section)
    groups = parameter_groups(network, network.head_modules(), PoolnetConfig().optimisation)
    assert {(group["lr"], group["weight_decay"]) for group in groups} == {(5e-5, 5e-4)}
    assert type(make_optimizer(groups, PoolnetConfig().optimisation)) is torch.optim.Adam
    before = {name: value.clone() for name, value in network.named_buffers()}
    network.train()(torch.rand(2, 3, 48, 48)).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())


def test_accumulated_images_are_a_batch(tmp_path: Path) -> None:
    """Of equal size: three at once, or one after the other, give one gradient."""
    index = make_images(tmp_path, [(48, 64)] * 6)
    rng = np.random.default_rng(1)
    drawn = [(record.id, 255 * rng.integers(0, 2, (48, 64), dtype=np.uint8)) for record in index]
    write_label_shard(tmp_path / "equal", drawn, digest="d")
    shard = LabelShard(tmp_path / "equal")
    section = poolnet_section(batch=3, accumulate=1)
    network = poolnet_of(section)
    samples = poolnet_samples(section, index, network, dict.fromkeys(shard.ids, shard))
    task = PoolnetTask(network, section)

    def gradient(batches: list[Batch]) -> list[Tensor]:
        network.zero_grad()
        for batch in batches:
            (terms(task, batch)["saliency"] / len(batches)).backward()
        return [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]

    keys = [(0, position) for position in range(3)]
    single = gradient([batch_of(samples, key) for key in keys])
    torch.testing.assert_close(gradient([batch_of(samples, *keys)]), single, rtol=1e-3, atol=1e-4)


def test_a_batch_of_several_sizes_is_the_mean_of_its_images(
    index: Index, masks: dict[str, LabelShard]
) -> None:
    section = poolnet_section(batch=3)
    network = poolnet_of(section)
    samples, task = poolnet_samples(section, index, network, masks), PoolnetTask(network, section)
    keys = [(0, 0), (0, 1), (0, 2)]
    assert len({samples[key]["image"].shape for key in keys}) > 1
    together = terms(task, batch_of(samples, *keys))["saliency"]
    alone = [terms(task, batch_of(samples, key))["saliency"] for key in keys]
    torch.testing.assert_close(together, torch.stack(alone).mean())


def test_a_map_of_another_size_is_named(index: Index, tmp_path: Path, masks: dict[str, LabelShard]) -> None:
    Image.new("L", (9, 9)).save(masks["id0"].path("id0"))
    samples = poolnet_samples(poolnet_section(), index, poolnet_of(poolnet_section()), masks)
    with pytest.raises(UserError, match=r"id0: mask of 9 x 9 pixels, but .*0.png has 64 x 48; make the"):
        samples[0, 0]


# ---- interruption ------------------------------------------------------------------------------------------


def training_of(directory: Path, kind: str, index: Index, hints: CamHints, masks: Any) -> Trainer:
    """A training of C2AM-H, C2AM or PoolNet whose checkpoints are in `directory`."""
    task: C2amTask | PoolnetTask
    samples: Dataset
    section: C2amConfig | PoolnetConfig
    if kind == "poolnet":
        section = poolnet_section(epochs=2)
        network: Any = poolnet_of(section)
        samples, task = poolnet_samples(section, index, network, masks), PoolnetTask(network, section)
    else:
        section, given = c2am_section(), hints if kind == "c2am_h" else None
        labeled, _ = with_labels(index)
        network = c2am_of(section)
        samples = c2am_samples(section, labeled, network, given)
        task = C2amTask(network, section, hints=given is not None)
    return Trainer(task, samples, section.optimisation, Job(directory, machine()))


@pytest.mark.parametrize("kind", ["c2am_h", "c2am", "poolnet"])
def test_an_interrupted_training_resumes_bit_for_bit(
    tmp_path: Path, kind: str, index: Index, hints: CamHints, masks: dict[str, LabelShard]
) -> None:
    undisturbed = training_of(tmp_path / "undisturbed", kind, index, hints, masks)
    network = undisturbed.run()
    training, result = in_pieces(lambda: training_of(tmp_path / "cut", kind, index, hints, masks))
    for name, value in network.state_dict().items():
        assert torch.equal(result.state_dict()[name], value), name
    assert training.task.state_dict() == undisturbed.task.state_dict()
    if kind == "c2am":
        assert undisturbed.task.state_dict()["border_steps"] == 2


def test_a_network_starts_from_its_seed() -> None:
    first, same = c2am_of(c2am_section()), c2am_of(c2am_section())
    other = c2am_of(c2am_section(optimisation={"seed": 1}))
    assert isinstance(first, C2AM)
    weights = [network.activation[0].weight for network in (first, same, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
