"""Draw the walked CAMs: a sheet of images, masks and walks, and the scores over the background threshold."""

from wsss.evaluation.scores import WALKS
from wsss.figures.plots import threshold_curve
from wsss.figures.scores import score_sheet
from wsss.runs.step import Step, parser, run_step


def draw_walks(step: Step) -> None:
    """Write the sheet and the curve."""
    files = step.arguments
    index, metrics = step.read_index(files.index), step.read_metrics(files.metrics)
    score_sheet(files.out, index, files.walks, metrics, kind=WALKS)
    threshold_curve(files.curve, metrics, name=WALKS.name)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "walks+", "metrics", "out", "curve")
    run_step("walks_metrics", draw_walks, arguments.parse_args())
