"""The progress of a run, from its files alone, without Snakemake."""

import csv
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wsss.runs.jobs import Job, read_jobs
from wsss.runs.run import Run, stages
from wsss.runs.stages import STAGES

#: states of a stage; the first of them that one of its jobs has is the stage's
ORDER = ("running", "failed", "died", "interrupted", "preempted", "outdated", "pending", "done")


@dataclass(frozen=True)
class State:
    """A stage of a run. run: the owner of its directory. seconds: of all jobs that are done or running.

    note: the newest line of the log of a job that runs or failed.
    """

    stage: str
    run: str
    state: str
    done: int
    jobs: int
    seconds: float
    note: str


def states_of(run: Run) -> list[State]:
    """The state of every stage, in the chain's order.

    The jobs of a stage are the shards of its split, and all others that were started. `outdated`: of another
    configuration; `died`: it ended without a record; `preempted`: a training that saved a checkpoint.
    """
    return [_state(run, stage) for stage in stages(run)]


def _state(run: Run, stage: str) -> State:
    owner = run.owner(stage)
    directory = run.directory(stage)
    if run.given(stage):
        return State(stage, owner.name, "done", 0, 0, 0.0, "imported")
    records, rule = read_jobs(directory), STAGES[stage].rule
    started = {name for name in _names(directory, records) if name.partition(".")[0] == rule}
    names = sorted(started | set(_expected(run, stage, rule)))
    jobs = {name: _job(run, stage, directory, name, records.get(name)) for name in names}
    counts = Counter(state for state, _ in jobs.values())
    state = next(word for word in ORDER if counts[word])
    if state == "pending" and counts["done"]:
        state = "begun"
    shown = [name for name in names if jobs[name][0] == state and state in ORDER[:3]]
    note = _last_line(directory / "logs" / f"{shown[0]}.log") if shown else ""
    seconds = sum(seconds for _, seconds in jobs.values())
    return State(stage, owner.name, state, counts["done"], len(names), seconds, note)


def _names(directory: Path, records: dict[str, Job]) -> Iterator[str]:
    yield from records
    yield from (path.stem for path in (directory / "benchmarks").glob("*.tsv"))


def _expected(run: Run, stage: str, rule: str) -> Iterator[str]:
    if STAGES[stage].kind == "index":
        yield from (f"{rule}.{split}" for split in (run.config.dataset.train, run.config.dataset.val))
    elif STAGES[stage].sharded:
        shards = range(run.config.cams.shards)
        yield from (f"{rule}.{run.split(stage)}.{shard:03d}" for shard in shards)
    else:
        yield rule


def _job(run: Run, stage: str, directory: Path, name: str, record: Job | None) -> tuple[str, float]:
    """State of a job and its seconds so far."""
    if record is None:
        benchmark = directory / "benchmarks" / f"{name}.tsv"
        return ("done", _seconds(benchmark)) if benchmark.is_file() else ("pending", 0.0)
    if record.digest != run.digest(stage):
        return "outdated", 0.0
    if record.state == "running":
        return ("running", time.time() - record.began) if record.lives else ("died", 0.0)
    return record.state, (record.ended or record.began) - record.began


def _seconds(benchmark: Path) -> float:
    with open(benchmark, newline="", encoding="utf-8") as file:
        return sum(float(row["s"]) for row in csv.DictReader(file, delimiter="\t"))


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
