"""One loop for all trainings: what it reports, how it stops, and that it resumes exactly."""

import csv
import errno
import os
import signal
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.fault_table import Contents, Fault, contents
from support.odd_data import Malicious, malicious
from support.tiny_run import make_run, step_of
from support.training import IMAGES, build, in_pieces, newest_step, start, wait_for, weights

from workflow.scripts.train_priors import train_priors
from wsss.config import MachineConfig
from wsss.data.index import Index
from wsss.errors import Preempted, UserError
from wsss.machine.signals import StopRequest
from wsss.store.networks import read_header
from wsss.training.checkpoint import Checkpoints
from wsss.training.logbook import Logbook

#: micro-steps of the toy training: 4 epochs of 3 batches of 4 images
STEPS = 12


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def rows_of(directory: Path) -> list[dict[str, str]]:
    with open(directory / "checkpoints" / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def finished(directory: Path, **keywords: Any) -> dict[str, torch.Tensor]:
    """The weights of a training without interruption, or of one that resumes from a checkpoint."""
    training = build(directory, **keywords)
    training.run()
    return weights(training)


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    """Bit for bit."""
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def as_made(weights: dict[str, torch.Tensor]) -> Contents:
    """For the table of faults."""
    return {"weights": sha256(b"".join(tensor.numpy().tobytes() for tensor in weights.values())).hexdigest()}


def losses_of(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The columns that do not depend on the clock."""
    return [{name: row[name] for name in row if name in ("step", "epoch") or "/" in name} for row in rows]


# ---- a training that nothing disturbs ----------------------------------------------------------------------


def test_the_loss_falls(tmp_path: Path) -> None:
    finished(tmp_path, method="vanilla", blocks={"optimisation": {"epochs": 40}})
    found = [float(row["loss/classification"]) for row in rows_of(tmp_path)]
    assert np.mean(found[-6:]) < 0.93 * np.mean(found[:6])


def test_the_result_is_in_evaluation_mode(tmp_path: Path) -> None:
    training = build(tmp_path)
    network = training.run()
    assert network is training.state.optimizers["generator"].network
    assert not network.training


def test_the_csv_has_a_row_per_tenth_of_an_epoch(tmp_path: Path) -> None:
    finished(tmp_path)
    rows = rows_of(tmp_path)
    assert list(rows[0]) == [
        "step",
        "epoch",
        "lr/generator",
        "lr/oc",
        "loss/classification",
        "loss/tiles",
        "loss/reconstruction",
        "loss/erasing",
        "loss/noc",
        "images_per_second",
        "data_share",
        "memory_gb",
    ]
    assert [int(row["step"]) for row in rows] == list(range(1, STEPS + 1))
    assert [float(row["epoch"]) for row in rows][2::3] == [1, 2, 3, 4]
    assert [float(row["lr/oc"]) for row in rows] == pytest.approx(
        [0.5 * (1 - step / STEPS) ** 0.9 for step in range(STEPS)], rel=1e-4
    )
    assert all(0 <= float(row["data_share"]) <= 1 and float(row["memory_gb"]) > 0 for row in rows)


def test_rows_are_means_and_the_last_step_has_one(tmp_path: Path) -> None:
    keywords: dict[str, Any] = {"method": "vanilla", "images": {"count": 54}}
    blocks = {"optimisation": {"batch": 2, "epochs": 1}}
    finished(tmp_path, blocks=blocks, **keywords)
    rows = rows_of(tmp_path)
    assert [int(row["step"]) for row in rows] == [*range(2, 27, 2), 27]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_trains_on_a_cpu_too(tmp_path: Path, precision: str) -> None:
    blocks = {"optimisation": {"precision": precision, "epochs": 2}}
    mixed = finished(tmp_path / "mixed", blocks=blocks)
    full = finished(tmp_path / "full", blocks={"optimisation": {"epochs": 2}})
    assert all(value.dtype == full[name].dtype for name, value in mixed.items())
    distance = max(float((mixed[name] - full[name]).abs().max()) for name in full)
    assert 0 < distance < 0.05


def test_workers_change_nothing(tmp_path: Path) -> None:
    alone = finished(tmp_path / "0")
    helped = finished(tmp_path / "2", machine_keys={"workers": 2})
    assert_same(alone, helped)


def test_a_section_is_trained_as_it_describes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    step = step_of(make_run(Path()), "priors", "new", noc={"keep_oc": True})
    index = Index.read("index.csv")
    unlabeled = tuple(replace(record, labels=()) for record in index.records)
    replace(index, records=unlabeled[:4] + index.records[4:]).write("index.csv")
    train_priors(step)
    about = read_header(Path("new.safetensors"))
    assert about.classes == index.classes and about.digest == step.digest
    assert len(Path("new.csv").read_text().splitlines()) == 1 + 2, "two epochs of the 4 labeled images"
    before, after = (
        load_file(name)["classifier.weight"] for name in ("oc.safetensors", "new_oc.safetensors")
    )
    assert not torch.equal(before, after)
    replace(index, records=unlabeled).write("index.csv")
    with pytest.raises(UserError, match="no image of split train has an image-level label"):
        train_priors(step_of(step.run, "priors", "n"))
    assert not Path("n.safetensors").exists()


# ---- interrupted and resumed -------------------------------------------------------------------------------

MOMENTUM: dict[str, Any] = {"blocks": {"optimisation": {"optimizer": "momentum"}}}
#: lasts long enough to be disturbed, as its images take their time
SLOW: dict[str, Any] = {**MOMENTUM, "images": {"slow": 0.04}}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_saves_and_leaves(tmp_path: Path, number: signal.Signals) -> None:
    undisturbed = finished(tmp_path / "undisturbed", **MOMENTUM)
    process = start(tmp_path, **SLOW)
    metrics = tmp_path / "checkpoints" / "metrics.csv"
    wait_for(lambda: metrics.exists() and len(metrics.read_text().splitlines()) > 3)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join()
    step = newest_step(tmp_path)
    assert process.exitcode == Preempted.EXIT_STATUS == 75
    assert 3 <= step < STEPS
    said = (tmp_path / "said").read_text()
    assert f"toy: stopped by a signal; saved step {step}/{STEPS} in {tmp_path}/checkpoints" in said
    assert "Traceback" not in said
    assert_same(finished(tmp_path, **MOMENTUM), undisturbed)
    assert losses_of(rows_of(tmp_path)) == losses_of(rows_of(tmp_path / "undisturbed"))


def test_a_signal_to_the_whole_group_spares_the_workers(tmp_path: Path) -> None:
    process = start(tmp_path, machine_keys={"workers": 2}, **SLOW)
    metrics = tmp_path / "checkpoints" / "metrics.csv"
    wait_for(lambda: metrics.exists() and len(metrics.read_text().splitlines()) > 3)
    assert process.pid is not None
    os.killpg(process.pid, signal.SIGTERM)
    process.join()
    assert process.exitcode == Preempted.EXIT_STATUS
    assert "Traceback" not in (tmp_path / "said").read_text()


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        assert stop.received is None
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.received is not None
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    "blocks",
    [
        {"erasing": {"choice": "focal"}, "optimisation": {"ema": {"every": 1, "warmup_epochs": 0}}},
        {"erasing": {"choice": "balanced"}, "optimisation": {"optimizer": "adamw", "lr": 0.001}},
        {"noc": {"every": 2, "oc_gradient": "published"}, "optimisation": {"accumulate": 2, "epochs": 5}},
        {"optimisation": {"precision": "fp16", "accumulate": 2, "reduction": "mean", "max_grad_norm": 0.1}},
    ],
    ids=["focal and ema", "balanced and adamw", "leak", "fp16"],
)
def test_a_training_resumes_from_every_step(tmp_path: Path, blocks: dict[str, Any]) -> None:
    """A training that is cut into pieces, each made by an engine of its own."""
    undisturbed = build(tmp_path / "undisturbed", blocks=blocks)
    network = undisturbed.run()
    training, result = in_pieces(lambda: build(tmp_path, blocks=blocks))
    assert_same(weights(training), weights(undisturbed))
    assert_same(result.state_dict(), network.state_dict())
    assert losses_of(rows_of(tmp_path)) == losses_of(rows_of(tmp_path / "undisturbed"))


def test_a_killed_training_resumes_at_once_and_exactly(tmp_path: Path) -> None:
    """Its data-loading processes live on for seconds, and must not keep the lock."""
    keys = {"workers": 2, "checkpoint_minutes": 0}
    for target in (2, 5, 8):
        process = start(tmp_path, machine_keys=keys, **SLOW)
        wait_for(lambda target=target: newest_step(tmp_path) >= target)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert newest_step(tmp_path) < STEPS
    assert_same(finished(tmp_path, **MOMENTUM), finished(tmp_path / "undisturbed", **MOMENTUM))
    assert losses_of(rows_of(tmp_path)) == losses_of(rows_of(tmp_path / "undisturbed"))
    assert "already" not in (tmp_path / "said").read_text()


# ---- checkpoints -------------------------------------------------------------------------------------------


def test_two_checkpoints_are_kept(tmp_path: Path) -> None:
    finished(tmp_path, machine_keys={"checkpoint_minutes": 0})
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["lock", "metrics.csv", f"step-{STEPS - 1:08d}.pt", f"step-{STEPS:08d}.pt"]


def test_a_finished_training_trains_no_further(tmp_path: Path) -> None:
    once = finished(tmp_path, machine_keys={"checkpoint_minutes": 0})
    assert_same(finished(tmp_path), once)
    assert [int(row["step"]) for row in rows_of(tmp_path)] == list(range(1, STEPS + 1))


def test_the_checkpoint_of_another_configuration_is_refused(tmp_path: Path, fault: Fault) -> None:
    once = finished(tmp_path, machine_keys={"checkpoint_minutes": 0})
    before = contents(tmp_path)
    refused = r"step-00000012\.pt: belongs to another configuration \(digest d, .* e\)"
    with pytest.raises(UserError, match=refused) as error:
        finished(tmp_path, digest="e")
    noted = (error.value.EXIT_STATUS, str(error.value), before, contents(tmp_path))
    made = as_made(finished(tmp_path))
    fault("a training goes on with another configuration", *noted, made, as_made(once))


def test_a_directory_is_one_trainings(tmp_path: Path, fault: Fault) -> None:
    process = start(tmp_path, images={"slow": 5})
    wait_for((tmp_path / "checkpoints" / "lock").exists)
    wait_for((tmp_path / "checkpoints" / "lock").read_text)
    before = contents(tmp_path)
    refused = rf"another training writes to this directory \(process {process.pid} on "
    with pytest.raises(UserError, match=refused) as error:
        finished(tmp_path)
    noted = (error.value.EXIT_STATUS, str(error.value), before, contents(tmp_path))
    process.kill()
    process.join()
    undisturbed = finished(tmp_path / "undisturbed")
    fault("a training started twice at once", *noted, as_made(finished(tmp_path)), as_made(undisturbed))


def test_a_damaged_checkpoint_is_named_and_not_executed(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "d")
    older = checkpoints.save(1, {"step": 1})
    newest = checkpoints.save(2, {"step": 2, "weight": torch.zeros(1000)})
    whole, trace = newest.read_bytes(), tmp_path / "ran"
    junk = [
        whole[: len(whole) // 2],
        whole[:-1],
        b"",
        b"hello",
        bytes(300),
        malicious(trace),
    ]
    torch.save({"digest": "d", "evil": Malicious(trace)}, newest)
    junk.append(newest.read_bytes())
    torch.save([1, 2], newest)
    junk.append(newest.read_bytes())
    for content in junk:
        newest.write_bytes(content)
        with pytest.raises(UserError, match=rf"{newest}: damaged, .* to resume from {older.name}"):
            checkpoints.load()
    assert not trace.exists()
    newest.unlink()
    assert checkpoints.load() == {"step": 1, "digest": "d"}
    older.write_bytes(b"hello")
    with pytest.raises(UserError, match="Delete it to train from the start"):
        checkpoints.load()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), RuntimeError("file write failed")])
def test_a_full_disk_keeps_the_last_checkpoint(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path, "d")
    checkpoints.save(1, {"step": 1})

    def full(_: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UserError, match=r"step-00000002\.pt: (no space left|cannot be written)"):
        checkpoints.save(2, {"step": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.pt"]


def test_partial_files_of_a_killed_writer_are_removed(tmp_path: Path) -> None:
    left = tmp_path / ".step-00000002.123.part.pt"
    left.write_bytes(b"half")
    checkpoints = Checkpoints(tmp_path, "d")
    checkpoints.save(1, {"step": 1})
    checkpoints.lock()
    assert not left.exists() and len(checkpoints.paths()) == 1
    checkpoints.unlock()


# ---- what goes wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loss_that_is_not_finite_stops(tmp_path: Path, workers: int) -> None:
    keywords: dict[str, Any] = {
        "images": {"nan": "image5"},
        "machine_keys": {"checkpoint_minutes": 0, "workers": workers},
        "blocks": {"optimisation": {"seed": 1}},
    }
    with pytest.raises(UserError) as stopped:
        finished(tmp_path, **keywords)
    good = newest_step(tmp_path)
    message = str(stopped.value)
    assert message.startswith("toy: the loss of the generator is not finite (classification nan, tiles nan, ")
    assert f"at step {good + 1} of {STEPS} (epoch 1)." in message
    images = message.split("Images of this step: ")[1].split(".")[0].split(", ")
    assert "image5" in images and len(images) == 4
    assert f"Last good checkpoint: {tmp_path}/checkpoints/step-{good:08d}.pt" in message
    # it can be loaded, and holds finite weights
    training = build(tmp_path, **{**keywords, "images": {}})
    training.run()
    assert training.state.not_finite() is None


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    blocks = {"optimisation": {"lr": 3e37, "head_lr_mult": 1, "bias_lr_mult": 1, "weight_decay": 1e6}}
    with pytest.raises(UserError, match=r"of the generator is not finite at step 1 of 12.*\n.*\n.*none yet"):
        finished(tmp_path, blocks=blocks, machine_keys={"checkpoint_minutes": 0})
    assert newest_step(tmp_path) == 0


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_image_is_one_clean_message(tmp_path: Path, workers: int) -> None:
    with pytest.raises(UserError) as error:
        finished(tmp_path, images={"broken": "image7"}, machine_keys={"workers": workers})
    assert str(error.value) == "image7.jpg: image does not decode"


def test_a_batch_larger_than_the_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"batch of 40 cannot be filled: there are {IMAGES} images"):
        build(tmp_path, blocks={"optimisation": {"batch": 40}})


# ---- the course of a training ------------------------------------------------------------------------------


def logbook(directory: Path, after: int = 0, **keys: Any) -> Logbook:
    machine = MachineConfig.model_validate(keys)
    path = directory / "metrics.csv"
    about: dict[str, Any] = {"name": "run/oc", "config": {"digest": "d"}}
    return Logbook(path, after=after, curves=directory, machine=machine, **about)


def test_columns_that_come_later_are_columns(tmp_path: Path) -> None:
    book = logbook(tmp_path)
    book.row(1, {"a": 1.0, "c": 3.0})
    book.row(2, {"a": 2.0, "b": 0.1234567})
    book.row(3, {"c": 5.0})
    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        "step,a,c,b",
        "1,1,3,",
        "2,2,,0.123457",
        "3,,5,",
    ]
    logbook(tmp_path, after=2).row(3, {"b": 7.0})
    assert (tmp_path / "metrics.csv").read_text().splitlines()[1:] == ["1,1,3,", "2,2,,0.123457", "3,,,7"]


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    book = logbook(tmp_path)
    book.row(10, {"a": 1.0, "b": 2.0})
    with open(tmp_path / "metrics.csv", "a") as file:
        file.write("1")
    logbook(tmp_path, after=20).row(11, {"a": 1.0, "b": 2.0})
    assert (tmp_path / "metrics.csv").read_text().splitlines() == ["step,a,b", "10,1,2", "11,1,2"]


def test_tensorboard_shows_no_step_twice(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for after, steps in ((0, (1, 2, 3)), (2, (3, 4))):
        book = logbook(tmp_path, after=after, tensorboard=True)
        for step in steps:
            book.row(step, {"loss/a": step + after})
        book.close()
    events = EventAccumulator(str(tmp_path)).Reload().Scalars("loss/a")
    assert [(event.step, event.value) for event in events] == [(1, 1), (2, 2), (3, 5), (4, 6)]


def test_wandb_logs_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    book = logbook(tmp_path, wandb="offline")
    book.row(1, {"a": 1.0})
    book.close()
    (run,) = (tmp_path / "wandb").glob("offline-run-*-d-run-oc")
    assert list(run.glob("*.wandb"))


@pytest.mark.parametrize(
    ("module", "keys", "key", "package"),
    [
        ("wandb", {"wandb": "offline"}, "machine.wandb", "wandb"),
        ("torch.utils.tensorboard", {"tensorboard": True}, "machine.tensorboard", "tensorboard"),
    ],
)
def test_a_package_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, keys: Any, key: str, package: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(UserError, match=rf"{key} needs {package}, which is not installed: pip install"):
        logbook(tmp_path, **keys)
