"""Score the label maps of a split - affinity labels, pseudo labels or masks - against its masks."""

from pathlib import Path

from wsss.inference.scoring import score_labels
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Score."""
    given = step.arguments
    score_labels(step, given.index, given.maps, given.out)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--labels", required=True, help="affinity_labels, pseudo_labels or masks")
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--maps", required=True, type=Path, nargs="+", help="all shards of the split")
    arguments.add_argument("--out", required=True, type=Path, help="metrics, JSON")
    given = arguments.parse_args()
    run_step(given.labels, main, given)
