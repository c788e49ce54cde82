"""The epoch that a training keeps: the best one, chosen as if the training had never been interrupted."""

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.training import before_each_step, build, send_stop_signal

from wsss.errors import Preempted
from wsss.training.selection import Selection

#: of the toy training: epochs, and micro-steps of each
EPOCHS, PER_EPOCH = 4, 3
MOMENTUM = {"optimisation": {"optimizer": "momentum"}}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


class Scores:
    """A score that depends on the weights and is best in the middle; remembers what it has seen."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, float]] = []

    def __call__(self, network: torch.nn.Module) -> dict[str, float]:
        weight = network.classifier.weight  # type: ignore[union-attr]
        value = float(torch.sin(1e4 * weight.detach().double().sum()))  # type: ignore[operator]
        self.seen.append((network.training, value))
        torch.rand(3)  # a validation may draw numbers, which must not change those of the training
        return {"val/miou": value}


def run(directory: Path, every: int = 1, **keys: Any) -> tuple[torch.nn.Module, Selection]:
    """A training that nothing disturbs, and its selection."""
    selection = Selection(Scores(), every=every)
    return build(directory, selection=selection, **keys).run(), selection


def rows_of(directory: Path) -> list[dict[str, str]]:
    """The columns of the course that do not depend on the clock."""
    with open(directory / "checkpoints" / "metrics.csv", newline="") as file:
        return [
            {name: value for name, value in row.items() if name in ("step", "epoch") or "/" in name}
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize("blocks", [{}, {"optimisation": {"ema": {"every": 1, "warmup_epochs": 0}}}])
def test_the_best_epoch_is_kept(tmp_path: Path, blocks: dict[str, Any]) -> None:
    network, selection = run(tmp_path, blocks=blocks)
    values = [value for _, value in selection.score.seen]  # type: ignore[attr-defined]
    assert len(values) == EPOCHS and not any(training for training, _ in selection.score.seen)  # type: ignore[attr-defined]
    assert selection.epoch == 1 + values.index(max(values)) and selection.best == max(values)
    assert Scores()(network)["val/miou"] == selection.best
    assert not network.training
    looked = [float(row["val/miou"]) for row in rows_of(tmp_path) if row["val/miou"]]
    assert looked == pytest.approx(values, rel=1e-5)


def test_a_validation_changes_nothing_of_the_training(tmp_path: Path) -> None:
    looking = build(tmp_path / "looking", selection=Selection(Scores()))
    alone = build(tmp_path / "alone")
    looking.run()
    alone.run()
    one, other = (training.state.optimizers["oc"].network.state_dict() for training in (looking, alone))
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    losses = [
        [row["loss/tiles"] for row in rows_of(tmp_path / name) if row["loss/tiles"]]
        for name in ("looking", "alone")
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(("every", "epochs"), [(2, [2, 4]), (3, [3, 4]), (9, [4])])
def test_validations_are_so_many_epochs_apart_and_the_last_epoch_has_one(
    tmp_path: Path, every: int, epochs: list[int]
) -> None:
    run(tmp_path, every=every)
    looked = [round(float(row["epoch"])) for row in rows_of(tmp_path) if row["val/miou"]]
    assert looked == epochs


def test_of_equal_epochs_the_first_is_kept() -> None:
    selection = Selection(lambda network: {"val/miou": 0.5})
    network = torch.nn.Linear(1, 1)
    for epoch in (1, 2, 3):
        torch.nn.init.constant_(network.weight, epoch)
        selection.validate(network, epoch)
    selection.restore(network)
    assert network.weight.item() == 1 and selection.epoch == 1


@pytest.mark.parametrize(
    ("scores", "epoch", "best"),
    [([math.nan, 20, 10], 2, 20), ([30, math.nan, 10], 1, 30), ([math.nan, math.nan, 0], 3, 0)],
)
def test_any_score_is_better_than_nan(scores: list[float], epoch: int, best: float) -> None:
    values = iter(scores)
    selection = Selection(lambda network: {"val/miou": next(values)})
    network = torch.nn.Linear(1, 1)
    for number in (1, 2, 3):
        torch.nn.init.constant_(network.weight, number)
        selection.validate(network, number)
    assert selection.epoch == epoch and selection.best == best
    selection.restore(network)
    assert network.weight.item() == epoch


def test_without_a_single_score_the_last_epoch_is_kept() -> None:
    selection = Selection(lambda network: {"val/miou": math.nan})
    network = torch.nn.Linear(1, 1)
    for number in (1, 2):
        torch.nn.init.constant_(network.weight, number)
        selection.validate(network, number)
    selection.restore(network)
    assert network.weight.item() == 2 and math.isnan(selection.best)


class Interrupted(Exception):
    """Stands for a process that is killed, here where nothing can be saved any more."""


def interrupted(directory: Path, when: Callable[[Any], None]) -> tuple[torch.nn.Module, Selection, int]:
    """A training that is cut into pieces; `when` prepares each piece. Also how many pieces there were."""
    pieces = 0
    while True:
        selection = Selection(Scores())
        training = build(
            directory, selection=selection, blocks=MOMENTUM, machine_keys={"checkpoint_minutes": 0}
        )
        when(training)
        pieces += 1
        try:
            return training.run(), selection, pieces
        except (Preempted, Interrupted):
            assert pieces < 50


def leaves_at_every_step(training: Any) -> None:
    """A signal with every step."""
    before_each_step(training, send_stop_signal)


def dies_in_validations(training: Any) -> None:
    """Killed after a validation, before a checkpoint holds it, but not before the first step."""
    validate, steps = training.selection.validate, []
    before_each_step(training, lambda: steps.append(1))

    def validate_and_die(*arguments: Any) -> Any:
        values = validate(*arguments)
        if steps:
            raise Interrupted
        return values

    training.selection.validate = validate_and_die


def dies_after_validations(training: Any) -> None:
    """Killed at the step after a validation: its row is written, but no checkpoint holds it."""
    steps: list[int] = []

    def die_or_step() -> None:
        if steps and training.state.step % PER_EPOCH == 0:
            raise Interrupted
        steps.append(1)

    before_each_step(training, die_or_step)


@pytest.mark.parametrize(
    "when",
    [leaves_at_every_step, dies_in_validations, dies_after_validations],
    ids=lambda when: when.__name__,
)
def test_an_interruption_changes_neither_the_weights_nor_the_choice(
    tmp_path: Path, when: Callable[[Any], None]
) -> None:
    network, undisturbed = run(tmp_path / "undisturbed", blocks=MOMENTUM)
    again, selection, pieces = interrupted(tmp_path, when)
    assert pieces >= 3
    assert selection.epoch == undisturbed.epoch and selection.best == undisturbed.best
    one, other = network.state_dict(), again.state_dict()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    assert rows_of(tmp_path) == rows_of(tmp_path / "undisturbed")


def test_the_weights_of_the_training_itself_go_on_from_the_last_step(tmp_path: Path) -> None:
    """What is kept is a copy: the checkpoint's networks are those of the newest step."""
    training = build(tmp_path, selection=Selection(Scores()), machine_keys={"checkpoint_minutes": 0})
    training.run()
    state = training.checkpoints.load()
    assert state is not None and state["step"] == EPOCHS * PER_EPOCH
    assert state["selection"]["validated"] == EPOCHS - 1, (
        "saved before the last validation, which is repeated"
    )
    kept = state["selection"]["weights"]
    live = state["optimizers"]["generator"]["network"]
    assert kept.keys() == live.keys()
    assert any(not torch.equal(kept[name], live[name]) for name in kept)
