"""Train the segmentation network on pseudo labels or, for the upper bound, on the data set's masks."""

from pathlib import Path

from wsss.runs.step import Step, parser, run_step
from wsss.training.segmentation import train_segmentation


def main(step: Step) -> None:
    """Train."""
    given = step.arguments
    val = {"val_index": given.val_index, "val_labels": given.val_labels}
    train_segmentation(step, given.index, given.labels, given.out, given.metrics, **val)


if __name__ == "__main__":
    arguments = parser(__doc__)
    shards = "all shards of the pseudo labels, of"
    arguments.add_argument("--index", required=True, type=Path, help="index of the training split")
    arguments.add_argument("--labels", type=Path, nargs="*", default=[], help=f"{shards} the training split")
    arguments.add_argument("--val-index", type=Path, nargs="?", help="index of what chooses the epoch")
    arguments.add_argument("--val-labels", type=Path, nargs="*", default=[], help=f"{shards} that")
    arguments.add_argument("--out", required=True, type=Path, help="the trained model")
    arguments.add_argument("--metrics", required=True, type=Path, help="the course of the training, CSV")
    run_step("segmentation", main, arguments.parse_args(), devices="gpus")
