"""Draw what label maps look like - affinity labels, pseudo labels or masks - beside images and masks."""

from pathlib import Path

from wsss.data.index import Index
from wsss.figures.labels import label_sheet
from wsss.runs.step import Step, parser, run_step
from wsss.store.files import read_json


def main(step: Step) -> None:
    """Draw."""
    given = step.arguments
    index, metrics = Index.read(given.index), read_json(given.metrics)
    step.require("index", index.digest, given.index)
    step.require(step.stage, metrics["digest"], given.metrics)
    label_sheet(given.out, index, given.maps, metrics, name=given.labels.replace("_", " "))


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--labels", required=True, help="affinity_labels, pseudo_labels or masks")
    arguments.add_argument("--index", required=True, type=Path, help="index of the split")
    arguments.add_argument("--maps", required=True, type=Path, nargs="+", help="all shards of the split")
    arguments.add_argument("--metrics", required=True, type=Path, help="metrics of the label maps, JSON")
    arguments.add_argument("--out", required=True, type=Path, help="the sheet, PNG")
    given = arguments.parse_args()
    run_step(given.labels, main, given)
