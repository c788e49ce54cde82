"""Draw the embedded data set from its seed, in VOC's layout."""

from pathlib import Path

from wsss.data.stage import draw_data
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Draw."""
    draw_data(step, step.arguments.out)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--out", required=True, type=Path, help="root of the data set")
    run_step("index", main, arguments.parse_args())
