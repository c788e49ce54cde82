"""Paint the masks of a split of COCO, a class per pixel, from its annotations."""

from pathlib import Path

from wsss.data.stage import paint_masks
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Paint."""
    paint_masks(step, step.arguments.split, step.arguments.out)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--split", required=True, help="name of the split")
    arguments.add_argument("--out", required=True, type=Path, help="directory of the masks")
    run_step("index", main, arguments.parse_args())
