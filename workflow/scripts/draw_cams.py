"""Draw the CAMs: a sheet of images, masks and CAMs, and the scores over the background threshold."""

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
    arguments = parser(__doc__, "index", "cams+", "metrics", "out", "curve")
    run_step("cams_metrics", draw_cams, arguments.parse_args())
