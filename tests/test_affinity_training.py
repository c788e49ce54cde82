"""The training of AffinityNet: one rate for its branches, labels at a quarter of the size, and its files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.chain import CLASSES, Toy
from support.training import micro_step, trainer_of

from workflow.scripts.train_affinity import train_affinity
from wsss import losses
from wsss.config import AffinityTrainingConfig
from wsss.errors import UserError
from wsss.models import AffinityNet
from wsss.store.label_maps import LabelShard, write_label_shard
from wsss.store.networks import load_network
from wsss.training.networks import new_network
from wsss.training.optim import parameter_groups
from wsss.training.samples import affinity_samples
from wsss.training.task import Batch, StepInfo
from wsss.training.tasks import AffinityTask

pytestmark = pytest.mark.usefixtures("here")


def affinity_net(section: AffinityTrainingConfig) -> AffinityNet:
    """The network of a section."""
    return new_network(AffinityNet, section, CLASSES, "d")[0]


def batch_of(toy: Toy, network: AffinityNet, positions: list[int]) -> Batch:
    """These images, as the engine puts them together."""
    shard = LabelShard(toy.truth("affinity_labels"))
    samples = affinity_samples(
        toy.run.config.affinity.training, toy.index, network, dict.fromkeys(shard.ids, shard)
    )
    batch: Batch = torch.utils.data.default_collate([samples[0, position] for position in positions])
    return batch


def test_all_that_learns_has_one_rate_and_one_decay(toy: Toy) -> None:
    """The heads of other networks learn ten times as fast; here nothing else learns."""
    network = affinity_net(toy.run.config.affinity.training)
    groups = parameter_groups(network, network.head_modules(), AffinityTrainingConfig().optimisation)
    assert {(group["lr"], group["weight_decay"]) for group in groups} == {(0.1, 1e-4)}
    learning = {id(parameter) for group in groups for parameter in group["params"]}
    heads = [*network.branches.parameters(), *network.edge.parameters()]
    assert learning == {id(parameter) for parameter in heads}


def test_the_backbone_is_frozen(toy: Toy) -> None:
    section = toy.run.config.affinity.training
    network = affinity_net(section)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trainer = trainer_of(AffinityTask(network, section), section.optimisation, 3)
    micro_step(trainer, batch_of(toy, network, [0, 1]))
    after = network.state_dict()
    changed = {name.split(".")[0] for name in after if not torch.equal(after[name], before[name])}
    assert changed == {"branches", "edge"}


def test_a_sample_is_an_image_and_its_labels_at_a_quarter(toy: Toy) -> None:
    network = affinity_net(toy.run.config.affinity.training)
    batch = batch_of(toy, network, [0, 1])
    assert batch["image"].shape == (2, 3, 32, 32)
    labels = batch["label_map"]
    assert labels.shape == (2, 8, 8) and labels.dtype == torch.uint8
    assert set(labels.unique().tolist()) <= {0, 1, 2, 255}


def test_the_loss_is_the_published_one_of_the_batch(toy: Toy) -> None:
    section = toy.run.config.affinity.training
    network = affinity_net(section)
    batch = batch_of(toy, network, [0, 1, 2])
    (objective,) = AffinityTask(network, section).objectives(batch, StepInfo(0, 10, 0))
    edges = network(batch["image"]).sigmoid()
    expected = losses.affinity_loss(
        losses.pair_affinities(edges, 3), losses.pair_labels(batch["label_map"], 3)
    )
    assert objective.total.item() == pytest.approx(expected.item(), rel=1e-6)


def test_parts_of_a_batch_with_its_mean_counts_average_to_the_whole() -> None:
    """As for processes that share a batch; the kinds of pairs are unevenly divided between the two."""
    generator = torch.Generator().manual_seed(0)
    edge = torch.rand((4, 1, 9, 12), generator=generator)
    labels = torch.randint(0, 3, (4, 9, 12), generator=generator)
    labels[:2] = 0
    pairs = losses.pair_labels(labels, 3)
    whole = losses.affinity_loss(losses.pair_affinities(edge, 3), pairs)
    halves = [losses.pair_labels(labels[part], 3) for part in (slice(0, 2), slice(2, 4))]
    counts = torch.stack([half.counts() for half in halves]).mean(0)
    parts = [
        losses.affinity_loss(losses.pair_affinities(edge[part], 3), half, counts)
        for part, half in zip((slice(0, 2), slice(2, 4)), halves, strict=True)
    ]
    assert torch.stack(parts).mean().item() == pytest.approx(whole.item(), rel=1e-5)


def test_a_trained_network_is_in_its_file(toy: Toy, tmp_path: Path) -> None:
    out, metrics = tmp_path / "affinity.safetensors", tmp_path / "affinity.csv"
    step = toy.step("affinity", labels=[toy.truth("affinity_labels")], out=out, metrics=metrics)
    train_affinity(step)
    network, about = load_network(out, AffinityNet)
    assert about.digest == step.digest and about.classes == CLASSES and not network.training
    first, *rows = metrics.read_text().splitlines()
    assert "loss/affinity" in first and len(rows) == 4, "five of six images have labels: two batches of two"
    assert not step.checkpoints.exists()
    fresh = affinity_net(step.section).state_dict()
    trained = load_file(out)
    assert any(not torch.equal(fresh[name], trained[name]) for name in fresh)


def test_labels_of_another_configuration_or_too_few_are_refused(toy: Toy, tmp_path: Path) -> None:
    files = {"out": tmp_path / "a.safetensors", "metrics": tmp_path / "a.csv"}
    with pytest.raises(UserError, match="wrong: made from another configuration"):
        train_affinity(toy.step("affinity", labels=[toy.truth("walks", "wrong")], **files))
    few = [("id0", np.zeros((48, 64), np.uint8))]
    write_label_shard(tmp_path / "few", few, digest=toy.run.digest("affinity_labels"))
    with pytest.raises(UserError, match="affinity_labels: 4 images are in none of the 1 shards given: id1"):
        train_affinity(toy.step("affinity", labels=[tmp_path / "few"], **files))
