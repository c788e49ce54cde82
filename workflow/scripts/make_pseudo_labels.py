"""Make the pseudo labels of one shard of a split, of its walked CAMs."""

from pathlib import Path

from wsss.inference.label_stage import label_pixels
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Label."""
    given = step.arguments
    label_pixels(step, given.index, given.walks, given.shard, given.out)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--walks", required=True, type=Path, help="the shard's walked CAMs")
    arguments.add_argument("--shard", required=True, type=int, help="number of the shard, from 0")
    arguments.add_argument("--out", required=True, type=Path, help="directory of the shard's labels")
    run_step("pseudo_labels", main, arguments.parse_args())
