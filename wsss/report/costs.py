"""Time and memory of the rules of a run, read from the files that Snakemake's `benchmark:` writes."""

from pathlib import Path

import pandas as pd

from wsss.errors import UserError
from wsss.progress import duration

#: what is computed of each rule: its jobs, seconds of the longest, of all, of CPU; MB of the largest
COLUMNS = {
    "jobs": ("s", "size"),
    "longest": ("s", "max"),
    "together": ("s", "sum"),
    "CPU": ("cpu_time", "sum"),
    "peak memory": ("max_rss", "max"),
}


def costs_table(directory: Path) -> str:
    """One line per rule as a Markdown table, see `costs_of`.

    Raises UserError naming the directory when there is no benchmark in it.
    """
    costs = costs_of(directory)
    if costs.empty:
        raise UserError(
            f"{directory}: no benchmarks of finished jobs. To make a run: snakemake "
            "--cores all results/<run>/val_miou.txt"
        )
    rows = [("rule", *COLUMNS), ("---", *["---:"] * len(COLUMNS))]
    for rule, cost in costs.iterrows():
        times = [duration(cost[column]) for column in ("longest", "together", "CPU")]
        rows.append((str(rule), f"{cost['jobs']:.0f}", *times, f"{cost['peak memory']:.0f} MB"))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def costs_of(directory: Path) -> pd.DataFrame:
    """The columns of `COLUMNS` by rule, in the order in which the rules began.

    directory: of `<rule>[.<wildcards>].tsv` files. Memory is resident, of a job's processes together. Empty
    where there is no file.
    """
    tables = [_read(path) for path in directory.glob("*.tsv")]
    if not tables:
        return pd.DataFrame(columns=list(COLUMNS))
    jobs = pd.concat(tables).sort_values("began", kind="stable")
    return jobs.groupby("rule", sort=False).agg(**COLUMNS)


def cost_of(directory: Path, rule: str) -> dict[str, float]:
    """The columns of `COLUMNS` of one rule; zeros where none of its jobs has finished."""
    costs = costs_of(directory).reindex([rule], fill_value=0.0)
    return {column: float(costs[column].iloc[0]) for column in COLUMNS}


def _read(path: Path) -> pd.DataFrame:
    """A benchmark; what a job was too short to be measured for is `NA` or `-`."""
    measured = pd.read_csv(path, sep="\t", usecols=["s", "cpu_time", "max_rss"], na_values="-").fillna(0.0)
    # The file is written when the job ends.
    return measured.assign(rule=path.name.partition(".")[0], began=path.stat().st_mtime - measured["s"].max())
