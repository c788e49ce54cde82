"""Draw the CAMs: a sheet of images, masks and CAMs, and the scores over the background threshold."""

from pathlib import Path

from wsss.figures.plots import threshold_curve
from wsss.figures.scores import score_sheet
from wsss.runs.step import Step, parser, run_step


def draw_cams(step: Step) -> None:
    """Write the sheet and the curve."""
    files = step.arguments
    index, metrics = step.read_index(files.index), step.read_metrics(files.metrics)
    score_sheet(files.out, index, files.cams, metrics)
    threshold_curve(files.curve, metrics)


if __name__ == "__main__":
    arguments = parser(__doc__, "index")
    arguments.add_argument("--cams", required=True, type=Path, nargs="+", help="all shards of the split")
    arguments.add_argument("--metrics", required=True, type=Path, help="metrics of the CAMs, JSON")
    arguments.add_argument("--out", required=True, type=Path, help="the sheet, PNG")
    arguments.add_argument("--curve", required=True, type=Path, help="the curve, PNG")
    run_step("cams_metrics", draw_cams, arguments.parse_args())
