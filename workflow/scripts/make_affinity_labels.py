"""Make the affinity labels of one shard of a split, of its CAMs and its saliency."""

from pathlib import Path

from wsss.inference.label_stage import label_affinities
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Label."""
    given = step.arguments
    label_affinities(step, given.index, given.cams, given.shard, given.out, saliency=given.saliency)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--cams", required=True, type=Path, help="the shard's CAMs")
    arguments.add_argument("--saliency", type=Path, nargs="?", help="the shard's saliency, if the run has it")
    arguments.add_argument("--shard", required=True, type=int, help="number of the shard, from 0")
    arguments.add_argument("--out", required=True, type=Path, help="directory of the shard's labels")
    run_step("affinity_labels", main, arguments.parse_args())
