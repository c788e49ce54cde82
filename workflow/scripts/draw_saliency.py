"""Draw what the saliency looks like: a sheet of images, masks and maps, and the curve over the thresholds."""

from pathlib import Path

from wsss.data.index import Index
from wsss.figures.curves import saliency_curve
from wsss.figures.saliency import saliency_sheet
from wsss.runs.step import Step, parser, run_step
from wsss.store.files import read_json


def main(step: Step) -> None:
    """Draw."""
    given = step.arguments
    index, metrics = Index.read(given.index), read_json(given.metrics)
    step.require("index", index.digest, given.index)
    step.require("saliency_metrics", metrics["digest"], given.metrics)
    maps = {"c2am": given.c2am, "crf": given.crf, "poolnet": given.poolnet}
    saliency_sheet(given.out, index, maps, metrics)
    saliency_curve(given.curve, metrics)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--c2am", required=True, type=Path, nargs="*", help="all shards of C2AM's maps")
    arguments.add_argument("--crf", required=True, type=Path, nargs="*", help="all shards of the CRF's masks")
    arguments.add_argument(
        "--poolnet", required=True, type=Path, nargs="*", help="all shards of PoolNet's maps"
    )
    arguments.add_argument("--metrics", required=True, type=Path, help="metrics of the saliency, JSON")
    arguments.add_argument("--out", required=True, type=Path, help="the sheet, PNG")
    arguments.add_argument("--curve", required=True, type=Path, help="the curve, PNG")
    run_step("saliency_metrics", main, arguments.parse_args())
