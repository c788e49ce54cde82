"""How far a run is, from its files: records of jobs, benchmarks of those without, what the command says."""

import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from support.chain import Toy

from wsss import cli
from wsss.report.status import states_of
from wsss.runs.jobs import Job, Record, read_jobs
from wsss.runs.run import chain
from wsss.runs.stages import STAGES
from wsss.store.files import write_json, write_text

HOME = Path("results/toy")


def record(toy: Toy, name: str, stage: str, **changed: object) -> None:
    """Leave a record of a job that is done, or as it is changed."""
    job = Job(stage, toy.run.digest(stage), "a machine", state="done", began=100.0, ended=160.0)
    write_json(HOME / "jobs" / f"{name}.json", asdict(replace(job, **changed)))


def states(toy: Toy) -> dict[str, str]:
    return {state.stage: state.state for state in states_of(toy.run)}


def test_a_job_leaves_a_record_of_its_end(toy: Toy) -> None:
    for status, state in ((0, "done"), (1, "failed"), (75, "preempted"), (130, "interrupted")):
        written = Record(HOME / "logs" / "train_oc.log")
        written.begin("oc", "d" * 12, "a machine")
        (job,) = read_jobs(HOME).values()
        assert job.state == "running" and job.lives and job.ended is None
        written.end(status)
        (job,) = read_jobs(HOME).values()
        assert job.state == state and job.ended is not None and not job.lives
    assert job.versions["wsss"] and job.versions["torch"] and "python" in job.command


def test_a_job_that_is_no_runs_leaves_none(toy: Toy, tmp_path: Path) -> None:
    for log in (None, tmp_path / "a.log"):
        written = Record(log)
        written.begin("oc", "d" * 12, "")
        written.end(0)
    Record(HOME / "logs" / "a.log").end(1)  # it stopped before it began
    assert not list(tmp_path.rglob("jobs"))


def test_a_record_of_another_form_is_left_out(toy: Toy) -> None:
    write_json(HOME / "jobs" / "train_oc.json", {"of": "the future"})
    write_text(HOME / "jobs" / "train_priors.json", "{")
    assert read_jobs(HOME) == {}


def test_each_state_is_told(toy: Toy) -> None:
    digest = {"digest": "0" * 12}
    record(toy, "train_oc", "oc")
    record(toy, "train_priors", "priors", state="running", ended=None, began=time.time() - 60)
    record(toy, "make_cams.train.000", "cams", **digest)
    record(toy, "train_c2am", "c2am", state="running", ended=None, pid=2**22 + 1)
    record(toy, "make_c2am_maps.train.000", "c2am_maps", state="failed")
    write_text(HOME / "benchmarks" / "index_images.train.tsv", "s\th:m:s\n7\t0:00:07\n")
    write_text(HOME / "logs" / "train_priors.log", "10:00:00 toy/priors: 3/9 (33 %), ETA 5s\n\n")
    found = states(toy)
    assert {
        name: found[name] for name in ("index", "oc", "priors", "cams", "c2am", "c2am_maps", "masks")
    } == {
        "index": "begun",
        "oc": "done",
        "priors": "running",
        "cams": "outdated",
        "c2am": "died",
        "c2am_maps": "failed",
        "masks": "pending",
    }
    state = next(state for state in states_of(toy.run) if state.stage == "priors")
    assert state.note == "10:00:00 toy/priors: 3/9 (33 %), ETA 5s" and 59 < state.seconds < 70
    index = next(state for state in states_of(toy.run) if state.stage == "index")
    assert (index.done, index.jobs, index.seconds) == (1, 2, 7.0)


def test_a_process_of_another_machine_is_believed(toy: Toy) -> None:
    record(toy, "train_oc", "oc", state="running", ended=None, pid=2**22 + 1, host="elsewhere")
    assert states(toy)["oc"] == "running"


def test_the_command_prints_a_line_per_stage(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    record(toy, "train_oc", "oc")
    assert cli.main(["status", "toy"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1].split() == ["oc", "done", "1/1", "1m00s"]
    assert (
        said[-2].startswith("toy: 1 of ")
        and said[-1] == "continue with: snakemake --cores all results/toy/val_miou.txt"
    )
    record(toy, "train_oc", "oc", state="failed")
    write_text(HOME / "logs" / "train_oc.log", "error: image 7 is broken\n")
    write_text(HOME / "val_miou.txt", "51.20\n")
    assert cli.main(["status", "toy"]) == 1
    said = capsys.readouterr().out
    assert "failed" in said and "error: image 7 is broken" in said and "mIoU 51.20 %" in said
    assert "\x1b" not in said
    for stage in chain(toy.run):
        rule = STAGES[stage].rule
        for name in (rule, f"{rule}.train", f"{rule}.val", f"{rule}.train.000", f"{rule}.val.000"):
            if stage in states(toy):
                record(toy, name, stage)
    assert cli.main(["status", "toy"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("results/toy/metrics/chain.csv"), "scores alone"


def test_a_run_that_is_none_is_an_error_in_red_on_a_terminal_only(
    toy: Toy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["status", "huge"]) == 1
    assert capsys.readouterr().err.startswith("error: config/huge.yaml: no such run")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    cli.main(["status", "huge"])
    assert capsys.readouterr().err.startswith("\x1b[31merror: ")
    monkeypatch.setenv("NO_COLOR", "1")
    cli.main(["status", "huge"])
    assert capsys.readouterr().err.startswith("error: ")
