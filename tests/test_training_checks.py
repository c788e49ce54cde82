"""A training that would update nothing is refused, and one that has learned little says so."""

import csv
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from support.tiny_run import make_run, step_of
from support.training import Job, ToyClassifier, ToyImages, before_each_step, build, machine, settings

from workflow.scripts.train_oc import train_oc
from wsss.errors import UserError
from wsss.figures.plots import training_curve
from wsss.models import Classifier
from wsss.training.checks import equal_cams, require_steps, warnings
from wsss.training.fit import fit
from wsss.training.logbook import read_log
from wsss.training.tasks import Vanilla

pytestmark = pytest.mark.usefixtures("here")


# ---- refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimisation", "message"),
    [
        ({"accumulate": 13}, r"optimisation.accumulate is 13, but the training has 12 batches .*at most 12"),
        (
            {"accumulate": 4, "ema": {"every": 4}},
            r"optimisation.ema.every is 4, but the training has only 3 optimizer steps",
        ),
        ({"ema": {}}, r"optimisation.ema.every is 32, but the training has only 12 optimizer steps"),
    ],
)
def test_a_training_without_updates_does_not_start(
    tmp_path: Path, optimisation: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        build(tmp_path, blocks={"optimisation": optimisation})
    assert not list(tmp_path.rglob("*.pt"))


@pytest.mark.parametrize("optimisation", [{"accumulate": 12}, {"accumulate": 4, "ema": {"every": 3}}])
def test_a_single_update_reaches_the_result(tmp_path: Path, optimisation: dict[str, Any]) -> None:
    trainer = build(tmp_path, blocks={"optimisation": optimisation})
    before = {name: value.clone() for name, value in trainer.state.result.state_dict().items()}
    after = trainer.run().state_dict()
    assert not torch.equal(after["classifier.weight"], before["classifier.weight"])


def test_the_average_holds_the_last_step(tmp_path: Path) -> None:
    """12 steps, averaged after the fifth, the tenth and the last."""
    trainer = build(tmp_path, blocks={"optimisation": {"ema": {"every": 5, "warmup_epochs": 0}}})
    seen = []

    for number, _ in enumerate(trainer.steps(_batches()), 1):
        network = trainer.state.optimizers["generator"].network
        if number in (5, 10, 12):
            seen.append(network.classifier.weight.detach().clone())  # type: ignore[union-attr]
    two = 0.5 * seen[0] + 0.5 * seen[1]
    torch.testing.assert_close(trainer.state.result.classifier.weight, two * 2 / 3 + seen[2] / 3)


def _batches() -> list[Any]:
    samples = ToyImages()
    rows = [[samples[step // 3, (step * 4 + i) % 12] for i in range(4)] for step in range(12)]
    return [torch.utils.data.default_collate(row) for row in rows]


def test_leftover_batches_are_counted_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="wsss"):
        build(tmp_path, blocks={"optimisation": {"accumulate": 5}}).run()
    assert "toy: the last 2 of 12 batches make no optimizer step, as accumulate is 5" in caplog.text


def test_fp16_that_skips_every_step_is_refused_at_the_end(tmp_path: Path) -> None:
    trainer = build(tmp_path, blocks={"optimisation": {"precision": "fp16"}})
    for optimizer in trainer.state.optimizers.values():
        scale = optimizer.scaler.scale
        optimizer.scaler.scale = lambda loss, scale=scale: scale(loss) * float("inf")  # type: ignore[assignment]
    with pytest.raises(
        UserError, match=r"toy: the generator was not trained: optimisation.precision is fp16"
    ):
        trainer.run()
    trainer.state.optimizers["generator"].steps_done = 1
    with pytest.raises(UserError, match="the oc was not trained"):
        require_steps("toy", trainer.state)


@pytest.mark.parametrize(
    ("optimisation", "advice"),
    [
        (
            {"accumulate": 2},
            "set precision to bf16, where the GPU has it; set batch to 2 and accumulate to 4, halve lr and "
            "double weight_decay, as gradients are summed (",
        ),
        ({"optimizer": "adamw", "precision": "bf16"}, "To need less: set batch to 2 and accumulate to 2 ("),
        ({"batch": 3, "precision": "bf16"}, "To need less: use more GPUs (machine.gpus), or a smaller"),
    ],
)
def test_out_of_memory_says_what_would_need_less(
    tmp_path: Path, optimisation: dict[str, Any], advice: str
) -> None:
    def full() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 79 GiB.")

    trainer = build(tmp_path, blocks={"optimisation": optimisation})
    before_each_step(trainer, full)
    with pytest.raises(UserError) as error:
        trainer.run()
    keys = trainer.settings
    asked = f"batch {keys.batch}, accumulate {keys.accumulate}, precision {keys.precision}"
    assert str(error.value).startswith(
        f"toy: out of GPU memory with optimisation.{asked} (CUDA out of memory)"
    )
    assert advice in str(error.value)
    trainer.checkpoints.lock()  # was released
    trainer.checkpoints.unlock()


def test_batch_norm_over_one_image_names_the_keys(tmp_path: Path) -> None:
    trainer = build(tmp_path)
    one = torch.ones(1, 3)
    before_each_step(trainer, lambda: torch.nn.functional.batch_norm(one, None, None, training=True))
    with pytest.raises(UserError, match=r"toy: batch norm over .* each process has 4 .*network.norm to fix"):
        trainer.run()


# ---- warned of ---------------------------------------------------------------------------------------------


def log_of(*losses: float) -> list[dict[str, str]]:
    """Rows of a log; a row of a validation has no losses."""
    rows = [{"step": "1", "loss/classification": str(value), "loss/erasing": "9"} for value in losses]
    return [*rows, {"step": "2", "loss/classification": "", "val/miou": "1"}]


def test_signs_of_little_learning(tmp_path: Path) -> None:
    state = build(tmp_path).state
    state.optimizers["generator"].steps_done = 19
    assert warnings(state, log_of(3, 2, 2, 2, 1)) == ["only 19 optimizer steps"]
    state.optimizers["generator"].steps_done = 20
    assert warnings(state, log_of(3, 2, 2, 2, 1)) == []
    assert warnings(state, log_of(2, 1, 1, 1, 2)) == ["the loss did not fall (from 2 to 2)"]
    assert warnings(state, log_of(0.5)) == [], "one row is no course"
    others = [{"step": "1", "loss/erasing": str(value)} for value in (3, 4)]
    assert warnings(state, others) == ["the loss did not fall (from 3 to 4)"]


def test_cams_that_are_equal_for_all_classes() -> None:
    network, samples = Classifier("mobilenetv3_small_050", 3).eval(), ToyImages()
    assert not equal_cams(network, samples)
    with torch.no_grad():
        network.classifier.weight[:] = network.classifier.weight[0].abs()
    assert equal_cams(network, samples)
    with torch.no_grad():
        network.classifier.weight.zero_()
    assert equal_cams(network, samples)
    assert not equal_cams(Classifier("mobilenetv3_small_050", 1).eval(), samples), "one class has one CAM"


def test_the_warning_is_logged_and_in_the_metrics(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At this learning rate the last layer stays as it is: zero, so that all CAMs are equal."""
    step = step_of(make_run(Path(), lr=1e-12), "oc", "new")
    monkeypatch.setattr(torch.nn.init, "kaiming_normal_", torch.nn.init.zeros_)
    with caplog.at_level(logging.WARNING, logger="wsss"):
        train_oc(step)
    with open("new.csv", newline="") as file:
        *first, last = csv.DictReader(file)
    assert last["warning"].startswith("only 4 optimizer steps; the loss did not fall (from ")
    assert f"tiny/oc: warning: probably learned little: {last['warning']}" in caplog.text
    assert caplog.text.count("\n") == 1
    assert last["warning"].endswith("the CAMs of all classes are equal")
    assert not any(row["warning"] for row in first)
    training_curve(Path("curve.png"), Path("new.csv"), name="oc")
    assert Path("curve.png").stat().st_size > 0


def test_a_training_that_resumes_at_its_end_gives_the_same_warning(tmp_path: Path) -> None:
    job = Job(tmp_path, machine(checkpoint_minutes=0))
    section = settings("vanilla")
    logs = []
    for _ in range(2):
        network: Any = ToyClassifier()
        fit(job, Vanilla(network, section), ToyImages(), section.optimisation)
        logs.append(read_log(job.checkpoints))
    assert logs[0] == logs[1] and logs[0][-1]["warning"].startswith("only 12 optimizer steps")
