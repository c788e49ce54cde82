"""Draw label maps (affinity labels, pseudo labels or masks) beside images and masks."""

from wsss.figures.labels import label_sheet
from wsss.runs.stages import STAGES
from wsss.runs.step import Step, parser, run_step


def draw_labels(step: Step) -> None:
    """Write the sheet."""
    files = step.arguments
    index, metrics = step.read_index(files.index), step.read_metrics(files.metrics)
    label_sheet(files.out, index, files.maps, metrics, name=STAGES[files.labels].title)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "maps+", "metrics", "out")
    arguments.add_argument("--labels", required=True, help="affinity_labels, pseudo_labels or masks")
    words = arguments.parse_args()
    run_step(words.labels, draw_labels, words)
