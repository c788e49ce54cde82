"""Draw what the CAMs look like: a sheet of images, masks and CAMs, and the curve over the thresholds."""

from pathlib import Path

from wsss.data.index import Index
from wsss.figures.curves import threshold_curve
from wsss.figures.scores import score_sheet
from wsss.runs.step import Step, parser, run_step
from wsss.store.files import read_json


def main(step: Step) -> None:
    """Draw."""
    given = step.arguments
    index, metrics = Index.read(given.index), read_json(given.metrics)
    step.require("index", index.digest, given.index)
    step.require("cams_metrics", metrics["digest"], given.metrics)
    score_sheet(given.out, index, given.cams, metrics)
    threshold_curve(given.curve, metrics)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--cams", required=True, type=Path, nargs="+", help="all shards of the split")
    arguments.add_argument("--metrics", required=True, type=Path, help="metrics of the CAMs, JSON")
    arguments.add_argument("--out", required=True, type=Path, help="the sheet, PNG")
    arguments.add_argument("--curve", required=True, type=Path, help="the curve, PNG")
    run_step("cams_metrics", main, arguments.parse_args())
