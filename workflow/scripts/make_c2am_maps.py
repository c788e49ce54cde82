"""Make the C2AM maps of one shard of a split, with test-time augmentation."""

from pathlib import Path

from wsss.inference.saliency_stage import infer_c2am
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Infer."""
    given = step.arguments
    infer_c2am(step, given.index, given.model, given.shard, given.out)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--model", required=True, type=Path, help="C2AM")
    arguments.add_argument("--shard", required=True, type=int, help="number of the shard, from 0")
    arguments.add_argument("--out", required=True, type=Path, help="the shard's score maps")
    run_step("c2am_maps", main, arguments.parse_args(), devices=1)
