"""Time and memory of the rules of a run, read from the files that Snakemake's `benchmark:` writes."""

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wsss.errors import UserError
from wsss.progress import duration

COLUMNS = ("rule", "jobs", "longest", "together", "CPU", "peak memory")


def costs_table(directory: Path) -> str:
    """One line per rule, in the order in which they began, as a Markdown table.

    directory: of `<rule>[.<wildcards>].tsv` files. A rule's jobs are put together: the longest and the sum
    of all for time, the sum for CPU time, the largest for memory (resident, of a job's processes together).
    Raises UserError naming the directory when there is no such file.
    """
    costs = costs_of(directory)
    if not costs:
        raise UserError(
            f"{directory}: no benchmarks of finished jobs. To make a run: snakemake "
            "--cores all results/<run>/val_miou.txt"
        )
    rows = [COLUMNS, ("---", *["---:"] * (len(COLUMNS) - 1))]
    rows += [_row(rule, cost) for rule, cost in costs.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@dataclass(frozen=True)
class Cost:
    """What the jobs of a rule took: seconds of the longest, of all, of CPU; MB of the largest."""

    jobs: int
    longest: float
    together: float
    cpu: float
    memory: float


def costs_of(directory: Path) -> dict[str, Cost]:
    """By rule, in the order in which they began; empty where nothing was made."""
    rules: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for path in sorted(directory.glob("*.tsv"), key=_began):
        with open(path, newline="", encoding="utf-8") as file:
            rules[path.name.partition(".")[0]] += csv.DictReader(file, delimiter="\t")
    return {rule: _cost(jobs) for rule, jobs in rules.items()}


def _began(path: Path) -> float:
    """When a job began: its file is written when it ends."""
    with open(path, newline="", encoding="utf-8") as file:
        return path.stat().st_mtime - max(_number(job, "s") for job in csv.DictReader(file, delimiter="\t"))


def _cost(jobs: list[Mapping[str, str]]) -> Cost:
    times = [_number(job, "s") for job in jobs]
    cpu = sum(_number(job, "cpu_time") for job in jobs)
    memory = max((_number(job, "max_rss") for job in jobs), default=0.0)
    return Cost(len(jobs), max(times, default=0.0), sum(times), cpu, memory)


def _row(rule: str, cost: Cost) -> tuple[str, ...]:
    times = [duration(seconds) for seconds in (cost.longest, cost.together, cost.cpu)]
    return rule, str(cost.jobs), *times, f"{cost.memory:.0f} MB"


def _number(job: Mapping[str, str], column: str) -> float:
    """A measurement; what a job was too short to be measured for stands as NA or -."""
    try:
        return float(job[column])
    except ValueError:
        return 0.0
