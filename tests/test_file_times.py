"""Results that were copied without their times are told from results that are out of date."""

import os
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
from support.tiny_run import make_run

from wsss.cli import main
from wsss.runs.file_times import stages_of_lost_times
from wsss.runs.jobs import DIRECTORY, Job
from wsss.runs.run import Run, load_run
from wsss.runs.stages import STAGES
from wsss.store.files import write_json, write_text

#: stages of the run, the job and the file of each part of theirs, in the order in which they are made
MADE = (
    ("index", "train", "", 1),
    ("index", "val", "", 1),
    ("oc", "", "", 2),
    ("priors", "", "", 3),
    ("cams", "train", "000", 4),
    ("cams", "train", "001", 4),
    ("c2am", "", "", 5),
    ("c2am_maps", "train", "000", 6),
    ("c2am_maps", "train", "001", 7),
    ("saliency_crf", "train", "000", 8),
    ("saliency_crf", "train", "001", 9),
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run `tiny`, made up to the masks of its saliency: files with their times, and records of jobs."""
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path)
    run = load_run("tiny")
    for stage, split, shard, time in MADE:
        path = run.output(stage, split=split, shard=shard)
        parts = ".".join(filter(None, (STAGES[stage].rule, split, shard)))
        job = Job(stage, run.digest(stage), "cpu", "done", began=1000.0 * time, ended=1000.0 * time + 900)
        write_json(run.directory(stage) / DIRECTORY / f"{parts}.json", asdict(job))
        if path.suffix:
            write_text(path, stage)
        else:  # as Snakemake marks the time of a directory
            write_text(path / ".snakemake_timestamp", "")
        stamp(path, 1000.0 * time + 900)
    return run


def stamp(path: Path, time: float) -> None:
    """Set when a file was last written, or what Snakemake takes for that of a directory."""
    os.utime(path if path.is_file() else path / ".snakemake_timestamp", (time, time))


def test_what_was_made_in_order_is_in_order(run: Run) -> None:
    assert stages_of_lost_times(run) == []


def test_a_copy_without_times_is_seen(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """In the order of `cp -r`: by name, each file a moment after the other."""
    files = sorted(path for path in Path("results").rglob("*") if path.is_file())
    for number, path in enumerate(files):
        copy = path.with_name("copy")
        shutil.copyfile(path, copy)
        copy.replace(path)
        os.utime(path, (1e6 + number, 1e6 + number))
    assert stages_of_lost_times(run) == ["cams", "c2am_maps"]
    assert main(["doctor", "tiny"]) == 0
    printed = capsys.readouterr().out
    assert "note     file times of tiny: cams, c2am_maps: older than what they were made from" in printed
    assert "→ snakemake --cores 1 --touch TARGET (copies keep times with cp -a)" in printed


def test_what_snakemake_touches_is_in_order(run: Run) -> None:
    """Shard by shard; a shard may then be older than another one of an earlier stage."""
    stamp(run.output("saliency_crf", split="train", shard="000"), 7500)
    assert stages_of_lost_times(run) == []


def test_what_is_out_of_date_has_lost_no_times(run: Run) -> None:
    """Another training of an earlier stage, after all: its record says so."""
    record = run.directory("priors") / DIRECTORY / "train_priors.json"
    job = Job("priors", run.digest("priors"), "cpu", "done", began=20000.0, ended=21000.0)
    write_json(record, asdict(job))
    stamp(run.output("priors"), 21000)
    assert stages_of_lost_times(run) == []
