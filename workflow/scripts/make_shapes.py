"""Draw the embedded data set from its seed, in VOC's layout."""

from pathlib import Path

from wsss.data.shapes import write_shapes
from wsss.step import Step, parser, run_step


def main(step: Step) -> None:
    """Draw."""
    data = step.section
    write_shapes(
        step.arguments.out, seed=data.seed, train=data.train_images, val=data.val_images, size=data.size
    )


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--out", required=True, type=Path, help="root of the data set")
    run_step("index", main, arguments.parse_args())
