"""Pack the masks of a split as the evaluation server of PASCAL VOC takes them."""

from pathlib import Path

from wsss.inference.label_stage import archive_masks
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Pack."""
    archive_masks(step, step.arguments.index, step.arguments.masks, step.arguments.out)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--masks", required=True, type=Path, nargs="+", help="all shards of the split")
    arguments.add_argument("--out", required=True, type=Path, help="the archive, tar")
    run_step("masks", main, arguments.parse_args())
