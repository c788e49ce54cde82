"""Images that show none of the classes: negatives of OC, priors and C2AM, or left out there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.images import c2am_section
from support.tiny_run import make_run, step_of
from torch.utils.data import Dataset

from workflow.scripts.train_priors import train_priors
from wsss import losses
from wsss.config import ErasingConfig, RunConfig
from wsss.data.balance import Balanced, balanced
from wsss.data.index import Index, Record
from wsss.models import C2AM
from wsss.training.erasure import ErasureChoice
from wsss.training.samples import labeled_images
from wsss.training.task import Batch, StepInfo
from wsss.training.tasks import C2amTask


def index_of(labeled: int, empty: int) -> Index:
    """Every image with a label stands behind as many without as there are for it."""
    labels = [("a",)] * labeled + [()] * empty
    records = [Record(f"i{n}", Path(f"i{n}.png"), None, each) for n, each in enumerate(labels)]
    return Index(tuple(reversed(records)), ("a",), "train", "d")


class Echo(Dataset[dict[str, Any]]):
    """A sample says which it is."""

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        return {"key": key}


def test_an_epoch_has_as_many_negatives_as_others() -> None:
    index = index_of(3, 20)
    samples = Echo()
    assert balanced(samples, index_of(3, 3), 0) is samples, "they are not many"
    drawn = balanced(samples, index, 0)
    assert isinstance(drawn, Balanced) and len(drawn) == 6
    epochs = [[drawn[epoch, place]["key"] for place in range(6)] for epoch in (0, 1, 0)]
    assert epochs[0] == epochs[2] != epochs[1], "a sample depends on nothing but epoch and position"
    for epoch, keys in enumerate(epochs[:2]):
        shown = [index.records[position].labels for each, position in keys if each == epoch]
        assert shown == [("a",)] * 3 + [()] * 3 and len(set(keys)) == 6
    seen = {drawn[epoch, place]["key"][1] for epoch in range(40) for place in range(6)}
    assert len(seen) == 23, "all come in time"


def test_used_or_left_out() -> None:
    index = index_of(2, 3)
    assert labeled_images(index, "use") is index and index.negatives == {"i2", "i3", "i4"}
    assert [record.id for record in labeled_images(index)] == ["i1", "i0"]


def test_own_photographs_have_negatives_and_published_data_sets_none() -> None:
    folder = {"kind": "folder", "images": "p", "labels": "l.csv"}
    kinds = {"use": [folder], "drop": [{"kind": "voc", "root": "v"}, {"kind": "coco", "root": "c"}]}
    for default, sections in kinds.items():
        for section in sections:
            plain = RunConfig.from_values({"dataset": section}).dataset
            told = RunConfig.from_values({"dataset": {**section, "negatives": default}}).dataset
            assert plain.negatives == default and plain.differences() == told.differences()
    changed = RunConfig.from_values({"dataset": {**folder, "negatives": "drop"}}).dataset
    assert changed.differences()["negatives"] == "drop"


def test_an_erasure_that_finds_no_class_does_not_count() -> None:
    choice = ErasureChoice(ErasingConfig(choice="balanced"), 3)
    labels = torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]])
    assert choice(labels, torch.tensor([0.0, 0.5, 0.99])).tolist() == [0, 1, 2]
    assert choice.chosen.tolist() == [1, 2, 1]


def test_a_generator_learns_from_negatives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    step = step_of(make_run(Path()), "priors", "new")
    data = step.run.config.dataset.model_copy(update={"negatives": "use"})
    run = replace(step.run, config=step.run.config.model_copy(update={"dataset": data}))
    index = Index.read("index.csv")
    records = tuple(replace(record, labels=()) if n < 4 else record for n, record in enumerate(index))
    replace(index, records=records, digest=run.digest("index")).write("index.csv")
    monkeypatch.setattr("wsss.inference.shards.Step.require", lambda *_: None)  # the OC is of the plain run
    train_priors(replace(step, run=run))
    assert len(Path("new.csv").read_text().splitlines()) == 1 + 4, "two epochs of two batches: all 8 images"


def batch_of(ids: list[str]) -> Batch:
    images = torch.from_numpy(np.random.default_rng(0).random((len(ids), 3, 64, 64), np.float32))
    return {"image": images, "hint": torch.zeros(len(ids), 1, 64, 64), "id": ids}  # type: ignore[return-value]


@pytest.mark.parametrize("hints", [True, False])
def test_c2am_learns_that_negatives_are_background(hints: bool) -> None:
    torch.manual_seed(0)
    section = c2am_section()
    network = C2AM(section.network.backbone)
    task = C2amTask(network, section, hints=hints, negatives=frozenset({"e", "f"}))

    def terms(ids: list[str]) -> dict[str, torch.Tensor]:
        (objective,) = task.objectives(batch_of(ids), StepInfo(9, 10, 9))
        return objective.terms

    found, none, only = terms(["a", "e", "b"]), terms(["a", "b"]), terms(["e", "f"])
    foreground, _, activation = network(batch_of(["a", "e", "b"])["image"])
    expected = torch.nn.functional.softplus(activation[1]).mean()
    torch.testing.assert_close(found["negatives"], expected)
    torch.testing.assert_close(
        found["foreground"], losses.sim_max(foreground[[0, 2]], section.rank_alpha), rtol=1e-4, atol=1e-4
    )
    assert none["negatives"].item() == 0
    assert all(torch.isfinite(term) for term in only.values()) and not task.flip
    (gradient,) = torch.autograd.grad(
        losses.empty_loss(activation, torch.tensor([False, True, False])), activation
    )
    assert (gradient[1] > 0).all() and not gradient[[0, 2]].any()
