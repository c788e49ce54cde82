"""Every training of every shipped run starts, with 1, 2 and 4 processes."""

import shutil
from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path

import pytest
from support.starts import command, start, write_tiny

from wsss.config import TrainingConfig
from wsss.machine.shares import Shares
from wsss.runs.run import Run, load_run, run_names, stages
from wsss.runs.stages import STAGES

CONFIG = Path(__file__).resolve().parent.parent / "config"
SCRIPTS = ("oc", "priors", "c2am", "poolnet", "affinity", "segmentation")
PROCESSES = (1, 2, 4)


def trainings(run: Run) -> list[str]:
    """The trainings of a run."""
    return [stage for stage in stages(run) if stage in SCRIPTS]


def section_of(run: Run, stage: str) -> TrainingConfig:
    """The section of a training."""
    section: TrainingConfig = attrgetter(STAGES[stage].section)(run.config)
    return section


def kinds(run: Run, stage: str) -> list[tuple[object, ...]]:
    """What a start of a training depends on: how its batch is divided, and what it reads."""
    config = run.config
    reads = {"priors": config.priors.method, "c2am": config.saliency.uses_hints}
    reads["segmentation"] = config.segmentation.labels
    return [(stage, *shares(run, stage)), (stage, reads.get(stage))]


def failures(started: Iterable[tuple[Run, str]], root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What goes wrong when these trainings are started, with each number of processes."""
    monkeypatch.chdir(root)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    shutil.copytree(CONFIG, root / "config")
    failed = []
    for run, stage in started:
        for processes in PROCESSES:
            tiny = write_tiny(root / "config", "tiny", run, processes)
            shutil.rmtree(root / "results", ignore_errors=True)
            said = root / f"{run.name}.{stage}.{processes}"
            status = start(f"train_{stage}", command(tiny, stage, root), said)
            text, used = said.read_text(), Shares(*shares(tiny, stage)).processes(processes)
            fewer = f"{used} of {processes} processes are used" in text
            if status or fewer != (used < processes):
                failed.append(
                    f"{run.name}/{stage} with {processes} processes: status {status}\n{text[-1000:]}"
                )
    return failed


def shares(run: Run, stage: str) -> tuple[int, int]:
    """Images of a training's batch, and how many of them each process needs."""
    section = section_of(run, stage)
    return section.optimisation.batch, section.images_per_process


def test_every_kind_of_training_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the shipped runs' trainings those that start in another way than all before."""
    known: set[tuple[object, ...]] = set()
    started = []
    for name in run_names(CONFIG):
        run = load_run(name, CONFIG)
        for stage in trainings(run):
            if not known.issuperset(kinds(run, stage)):
                started.append((run, stage))
                known.update(kinds(run, stage))
    failed = failures(started, tmp_path, monkeypatch)
    assert not failed, "\n".join(failed)


@pytest.mark.slow
@pytest.mark.parametrize("name", run_names(CONFIG))
def test_every_training_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    run = load_run(name, CONFIG)
    failed = failures([(run, stage) for stage in trainings(run)], tmp_path, monkeypatch)
    assert not failed, "\n".join(failed)
