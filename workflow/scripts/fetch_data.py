"""Fetch and unpack the archives of a data set, where there is nothing at its root yet."""

from pathlib import Path

from wsss.data.stage import fetch_data
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Fetch."""
    fetch_data(step, step.arguments.out)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--out", required=True, type=Path, help="what was fetched, JSON")
    run_step("index", main, arguments.parse_args())
