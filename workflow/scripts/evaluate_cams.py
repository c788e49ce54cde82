"""Score the CAMs of a split against its masks, at every background threshold."""

from wsss.evaluation.image_counts import ImageCounts
from wsss.evaluation.scores import CAMS, evaluate_scores
from wsss.inference.shards import evaluation_options
from wsss.progress import LOGGER
from wsss.runs.step import Step, parser, run_step
from wsss.store.cams import CamShard
from wsss.store.files import write_csv


def evaluate_cams(step: Step) -> None:
    """Write the scores at the best threshold, and the curve over all thresholds."""
    files = step.arguments
    index = step.read_index(files.index)
    for path in files.cams:
        step.require("cams", CamShard(path).digest, path)
    images = ImageCounts(("background", *index.classes))
    options = {"thresholds": step.section.thresholds, **evaluation_options(step)}
    scores = evaluate_scores(files.cams, index, kind=CAMS, images=images, **options)
    best = (index.split, scores["miou"], scores["threshold"])
    LOGGER.info("CAMs of %s: mIoU %.2f %% at threshold %.2f", *best)
    step.write_metrics(files.out, scores)
    write_csv(files.curve, scores["curve"])
    images.write(files.images)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "cams+", "out", "curve", "images")
    run_step("cams_metrics", evaluate_cams, arguments.parse_args())
