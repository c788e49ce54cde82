"""Score the CAMs of a split against its masks, at every background threshold."""

from pathlib import Path

from wsss.inference.scoring import score_maps
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Score."""
    given = step.arguments
    score_maps(step, "cams", given.index, given.cams, given.out, given.curve)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--cams", required=True, type=Path, nargs="+", help="all shards of the split")
    arguments.add_argument("--out", required=True, type=Path, help="metrics, JSON")
    arguments.add_argument("--curve", required=True, type=Path, help="metrics at every threshold, CSV")
    run_step("cams_metrics", main, arguments.parse_args())
