"""Say in a line what a run reaches: the mIoU of its masks on the validation split, and of each class."""

from pathlib import Path

from wsss.report.chain import write_miou
from wsss.runs.step import Step, parser, run_step
from wsss.store.files import read_json


def main(step: Step) -> None:
    """Say."""
    given = step.arguments
    metrics = read_json(given.metrics)
    step.require("masks", metrics["digest"], given.metrics)
    write_miou(given.out, metrics)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--metrics", required=True, type=Path, help="metrics of the masks, JSON")
    arguments.add_argument("--out", required=True, type=Path, help="the mIoU, text")
    run_step("masks", main, arguments.parse_args())
