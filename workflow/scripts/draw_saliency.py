"""Draw the saliency: a sheet of images, masks and maps, and the scores over the threshold."""

from wsss.figures.plots import saliency_curve
from wsss.figures.saliency import saliency_sheet
from wsss.runs.stages import SALIENCY
from wsss.runs.step import Step, parser, run_step


def draw_saliency(step: Step) -> None:
    """Write the sheet and the curve."""
    files = step.arguments
    index, metrics = step.read_index(files.index), step.read_metrics(files.metrics)
    maps = {kind: getattr(files, kind) for kind in SALIENCY}
    saliency_sheet(files.out, index, maps, metrics)
    saliency_curve(files.curve, metrics)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", *(f"{kind}*" for kind in SALIENCY), "metrics", "out", "curve")
    run_step("saliency_metrics", draw_saliency, arguments.parse_args())
