"""What every script does around its work: it checks its call, and ends with a message and a status."""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.tiny_run import make_run, script

from wsss.config import PriorsConfig
from wsss.errors import PeerLost, Preempted, UserError
from wsss.progress import LOGGER
from wsss.runs import step as step_module
from wsss.runs.run import Run
from wsss.runs.step import Step, parser, run_step


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """Where the run `tiny` is, and the run."""
    root = tmp_path_factory.mktemp("run")
    return root, make_run(root, machine={"workers": 1})


@pytest.fixture(autouse=True)
def at_home(place: tuple[Path, Run], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Scripts are started in the directory of the runs; one process, no GPU."""
    monkeypatch.chdir(place[0])
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    before = (LOGGER.level, LOGGER.propagate, list(LOGGER.handlers))
    yield
    LOGGER.setLevel(before[0])
    LOGGER.propagate = before[1]
    LOGGER.handlers[:] = before[2]


def status(stage: str, work: Callable[[Step], Any], *words: str, **keywords: Any) -> int:
    """The exit status of a script that does this work."""
    arguments = parser("A script.")
    with pytest.raises(SystemExit) as left:
        run_step(stage, work, arguments.parse_args(words), **keywords)
    assert isinstance(left.value.code, int)
    return left.value.code


def words(run: Run, stage: str = "priors") -> list[str]:
    return ["--run", "tiny", "--config", run.section(stage), "--log", "logs/a.log"]


def test_the_work_gets_its_section(place: tuple[Path, Run]) -> None:
    root, run = place
    seen: list[Step] = []
    assert status("priors", seen.append, *words(run), "--threads", "3") == 0
    (step,) = seen
    assert isinstance(step.section, PriorsConfig) and step.section == run.config.priors
    assert step.stage == "priors" and step.run.name == "tiny" and step.digest == run.digest("priors")
    assert step.machine.threads == 3 and step.machine.device == "cpu"
    assert step.checkpoints == Path("results/tiny/checkpoints/priors")
    assert step.curves == Path(f"results/tiny/curves/priors-{run.digest('priors')}")
    assert (root / "logs" / "a.log").read_text() == ""


def test_another_section_is_refused(place: tuple[Path, Run], capsys: pytest.CaptureFixture[str]) -> None:
    _, run = place
    asked = [*words(run)[:3], '{"method": "vanilla"}']
    assert status("priors", pytest.fail, *asked) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: config/tiny.yaml asks stage priors for {run.section('priors')}")
    assert 'but this command for {"method": "vanilla"}' in said and "start snakemake again" in said


def test_a_run_that_is_none_is_named(place: tuple[Path, Run], capsys: pytest.CaptureFixture[str]) -> None:
    assert status("priors", pytest.fail, "--run", "huge", "--config", "{}") == 1
    assert "config/huge.yaml: no such run; config has the runs tiny" in capsys.readouterr().err


def test_an_input_of_another_configuration_is_refused(
    place: tuple[Path, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    _, run = place

    def work(step: Step) -> None:
        step.require("index", run.digest("index"), Path("index.csv"))
        step.require("oc", "0123456789ab", Path("oc.safetensors"))

    assert status("priors", work, *words(run)) == 1
    said = capsys.readouterr().err
    assert "oc.safetensors: made from another configuration (digest 0123456789ab" in said
    assert f"run tiny asks for {run.digest('oc')}" in said


@pytest.mark.parametrize(
    ("error", "expected", "says"),
    [
        (UserError("image 7: broken"), 1, "error: image 7: broken\n"),
        (Preempted("saved step 3"), 75, "saved step 3\n"),
        (PeerLost("another has ended"), 69, "another has ended\n"),
        (KeyboardInterrupt(), 130, "priors: interrupted\n"),
    ],
)
def test_ends_that_are_no_bugs_have_one_line(
    place: tuple[Path, Run],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    expected: int,
    says: str,
) -> None:
    def work(_: Step) -> None:
        raise error

    assert status("priors", work, *words(place[1])) == expected
    assert capsys.readouterr().err == says
    assert Path("logs/a.log").read_text().endswith(says)


def test_bugs_have_a_traceback(place: tuple[Path, Run], capsys: pytest.CaptureFixture[str]) -> None:
    def work(_: Step) -> None:
        raise ZeroDivisionError("unforeseen")

    assert status("priors", work, *words(place[1])) == 2
    for said in (capsys.readouterr().err, Path("logs/a.log").read_text()):
        assert "priors: this is a bug" in said and "Traceback" in said and "unforeseen" in said


def test_a_workers_error_is_only_its_message() -> None:
    """torch raises the error of a data-loading process again with that process's traceback as its text."""
    traceback = (
        "Caught UserError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
        '  File "x.py", line 3, in f\n    raise UserError(...)\n'
        "wsss.errors.UserError: a.jpg: broken\nsecond line\n"
    )
    assert str(UserError(traceback)) == "a.jpg: broken\nsecond line"
    assert str(UserError("UserError: is a word")) == "UserError: is a word"


# ---- devices -----------------------------------------------------------------------------------------------


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked for and started; two GPUs are always found."""
    import wsss.machine.devices

    found: list[Any] = []
    monkeypatch.setattr(wsss.machine.devices, "claim", lambda *asked: (found.append(asked), 2)[1])
    monkeypatch.setattr(step_module, "in_processes", lambda *asked: (found.append(asked), 7)[1])
    return found


def test_a_step_without_devices_claims_none(place: tuple[Path, Run], claims: list[Any]) -> None:
    assert status("priors", lambda _: None, *words(place[1])) == 0
    assert claims == []


def test_a_training_takes_its_gpus_in_as_many_processes(place: tuple[Path, Run], claims: list[Any]) -> None:
    assert status("priors", pytest.fail, *words(place[1]), devices="gpus") == 7
    assert claims == [(1, "cpu"), (sys.orig_argv, 2)]


@pytest.mark.parametrize(("processes", "started"), [(1, 1), (2, 2), (3, 2), (4, 4), (7, 4)])
def test_without_gpus_a_training_takes_the_processes_of_the_machine(
    place: tuple[Path, Run],
    claims: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    processes: int,
    started: int,
) -> None:
    """As many as can have equal shares of its batch of four images; if these are fewer, it says so."""
    monkeypatch.setattr("wsss.machine.devices.claim", lambda *_: 0)
    machine = place[1].config.machine.model_copy(update={"processes": processes})
    run = replace(place[1], config=place[1].config.model_copy(update={"machine": machine}))
    monkeypatch.setattr(step_module, "load_run", lambda _: run)
    done: list[Step] = []
    assert status("priors", done.append, *words(run), devices="gpus") == (7 if started > 1 else 0)
    assert claims == [(sys.orig_argv, started)] * (started > 1)
    assert len(done) == (started < 2)
    fewer = (
        f"tiny/priors: {started} of {processes} processes are used: each needs an equal share of the batch"
    )
    assert (fewer in capsys.readouterr().err) == (started < processes)


def test_inference_takes_its_gpu_in_this_process(place: tuple[Path, Run], claims: list[Any]) -> None:
    done: list[Step] = []
    assert status("priors", done.append, *words(place[1]), devices=1) == 0
    assert claims == [(1, "cpu")] and len(done) == 1


def test_one_of_several_processes_claims_nothing(
    place: tuple[Path, Run], claims: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    done: list[Step] = []
    Path("logs").mkdir(exist_ok=True)
    Path("logs/a.log").write_text("the launcher's\n")
    assert status("priors", done.append, *words(place[1]), devices="gpus") == 0
    assert claims == [] and len(done) == 1
    assert done[0].machine.threads == max(1, place[1].config.machine.threads // 2)
    assert Path("logs/a.log").read_text() == "the launcher's\n"


# ---- a real script -----------------------------------------------------------------------------------------


def test_a_script_takes_no_abbreviations(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parser("x").parse_args(["--run", "tiny", "--conf", "{}"])
    assert left.value.code == 2
    assert isinstance(parser("x"), argparse.ArgumentParser)
    assert "--config" in capsys.readouterr().err


def test_a_training_script_refuses_and_leaves_nothing(place: tuple[Path, Run]) -> None:
    """A broken image, in a data-loading process, through the real script: one line, status 1, no hanging."""
    root, run = place
    image = root / "data" / "3.png"
    whole = image.read_bytes()
    image.write_bytes(whole[:300])
    try:
        files = ["--index", "index.csv", "--out", "oc.out", "--metrics", "oc.csv"]
        training = script("train_oc", root, *files, section=run.section("oc"))
        _, said = training.communicate(timeout=120)
    finally:
        image.write_bytes(whole)
    assert training.returncode == 1
    assert said.count("\n") <= 2 and "Traceback" not in said
    assert f"error: {image}: image does not decode" in said
    assert not (root / "oc.out").exists()
