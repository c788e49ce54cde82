"""Let the CAMs of one shard of a split walk between the edges that AffinityNet finds."""

from pathlib import Path

from wsss.inference.walk_stage import walk_shard
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Walk."""
    given = step.arguments
    walk_shard(step, given.index, given.cams, given.model, given.shard, given.out)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--cams", required=True, type=Path, help="the shard's CAMs")
    arguments.add_argument("--model", required=True, type=Path, help="AffinityNet")
    arguments.add_argument("--shard", required=True, type=int, help="number of the shard, from 0")
    arguments.add_argument("--out", required=True, type=Path, help="the shard's walked maps")
    run_step("walks", main, arguments.parse_args(), devices=1)
