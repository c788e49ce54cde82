"""Score the label maps of a split (affinity labels, pseudo labels or masks) against its masks."""

from wsss.evaluation.image_counts import ImageCounts
from wsss.evaluation.labels import score_labels, unscored
from wsss.inference.shards import open_shards
from wsss.progress import LOGGER
from wsss.runs.step import Step, parser, run_step
from wsss.store.label_maps import LabelShard


def evaluate_labels(step: Step) -> None:
    """Write the scores; of a split without masks, that there are none."""
    files, stage = step.arguments, step.stage
    index = step.read_index(files.index)
    images = ImageCounts(("background", *index.classes))
    if not index.masked:
        LOGGER.warning("%s of %s: not scored, the split has no masks", stage, index.split)
        step.write_metrics(files.out, unscored(index))
        images.write(files.images)
        return
    maps = open_shards(step, stage, LabelShard, files.maps, index.masked)
    scores = score_labels(maps, index, progress=step.machine.progress, images=images)
    reached = (stage, index.split, scores["miou"], scores["coverage"])
    LOGGER.info("%s of %s: mIoU %.2f %% on %.1f %% of the pixels", *reached)
    step.write_metrics(files.out, scores)
    images.write(files.images)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "maps+", "out", "images")
    arguments.add_argument("--labels", required=True, help="affinity_labels, pseudo_labels or masks")
    words = arguments.parse_args()
    run_step(words.labels, evaluate_labels, words)
