"""Make the saliency maps of one shard of a split with PoolNet."""

from pathlib import Path

from wsss.inference.saliency_stage import infer_saliency
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Infer."""
    given = step.arguments
    infer_saliency(step, given.index, given.model, given.shard, given.out)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--model", required=True, type=Path, help="PoolNet")
    arguments.add_argument("--shard", required=True, type=int, help="number of the shard, from 0")
    arguments.add_argument("--out", required=True, type=Path, help="directory of the maps")
    run_step("saliency", main, arguments.parse_args(), devices=1)
