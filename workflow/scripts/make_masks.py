"""Make the masks of one shard of a split: the segmentation network with test-time augmentation, and a CRF."""

from pathlib import Path

from wsss.inference.mask_stage import infer_masks
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Infer."""
    given = step.arguments
    infer_masks(step, given.index, given.model, given.shard, given.out)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--model", required=True, type=Path, help="the segmentation network")
    arguments.add_argument("--shard", required=True, type=int, help="number of the shard, from 0")
    arguments.add_argument("--out", required=True, type=Path, help="directory of the shard's masks")
    run_step("masks", main, arguments.parse_args(), devices=1)
