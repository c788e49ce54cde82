"""Make masks of the C2AM maps of one shard of a split, with the dense CRF."""

from pathlib import Path

from wsss.inference.saliency_stage import refine_shard
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Refine."""
    given = step.arguments
    refine_shard(step, given.index, given.maps, given.shard, given.out)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--maps", required=True, type=Path, help="the shard's C2AM maps")
    arguments.add_argument("--shard", required=True, type=int, help="number of the shard, from 0")
    arguments.add_argument("--out", required=True, type=Path, help="directory of the masks")
    run_step("saliency_crf", main, arguments.parse_args())
