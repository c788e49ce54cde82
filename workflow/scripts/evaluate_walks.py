"""Score the walked CAMs of a split against its masks, at every background threshold."""

from wsss.evaluation.image_counts import ImageCounts
from wsss.evaluation.scores import WALKS, evaluate_scores
from wsss.inference.shards import evaluation_options
from wsss.progress import LOGGER
from wsss.runs.step import Step, parser, run_step
from wsss.store.files import write_csv
from wsss.store.walks import WalkShard


def evaluate_walks(step: Step) -> None:
    """Write the scores at the best threshold, and the curve over all thresholds."""
    files = step.arguments
    index = step.read_index(files.index)
    for path in files.walks:
        step.require("walks", WalkShard(path).digest, path)
    images = ImageCounts(("background", *index.classes))
    options = {"thresholds": step.section.thresholds, **evaluation_options(step)}
    scores = evaluate_scores(files.walks, index, kind=WALKS, images=images, **options)
    best = (index.split, scores["miou"], scores["threshold"])
    LOGGER.info("walks of %s: mIoU %.2f %% at threshold %.2f", *best)
    step.write_metrics(files.out, scores)
    write_csv(files.curve, scores["curve"])
    images.write(files.images)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "walks+", "out", "curve", "images")
    run_step("walks_metrics", evaluate_walks, arguments.parse_args())
