"""Say what each stage of a run reaches and takes, one line per stage."""

from pathlib import Path

from wsss.report.chain import write_chain
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Say."""
    write_chain(step.arguments.out, step.run, step.arguments.metrics)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument(
        "--metrics", required=True, type=Path, nargs="+", help="metrics of all that is scored, JSON"
    )
    arguments.add_argument("--out", required=True, type=Path, help="the table, CSV")
    run_step("masks", main, arguments.parse_args())
