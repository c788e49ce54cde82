"""Score the saliency of a split against its masks: C2AM's maps, the CRF's masks, PoolNet's maps."""

from pathlib import Path

from wsss.inference.saliency_stage import score_saliency
from wsss.runs.step import Step, parser, run_step


def main(step: Step) -> None:
    """Score."""
    given = step.arguments
    score_saliency(
        step,
        given.index,
        cams=given.cams,
        c2am=given.c2am,
        crf=given.crf,
        poolnet=given.poolnet,
        out=given.out,
        curve=given.curve,
    )


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--cams", required=True, type=Path, nargs="+", help="all shards of the CAMs")
    arguments.add_argument("--c2am", required=True, type=Path, nargs="*", help="all shards of C2AM's maps")
    arguments.add_argument("--crf", required=True, type=Path, nargs="*", help="all shards of the CRF's masks")
    arguments.add_argument(
        "--poolnet", required=True, type=Path, nargs="*", help="all shards of PoolNet's maps"
    )
    arguments.add_argument("--out", required=True, type=Path, help="metrics, JSON")
    arguments.add_argument("--curve", required=True, type=Path, help="mIoU at every threshold, CSV")
    run_step("saliency_metrics", main, arguments.parse_args())
