"""Write a run's report: its scores, curves, pictures and settings on one page."""

from wsss.figures.numbers import Source
from wsss.inference.shards import open_shards
from wsss.report.gallery import gallery_rows, open_maps
from wsss.report.page import render
from wsss.report.results import name_of, read_metrics, read_results
from wsss.report.scores import score_images
from wsss.runs.step import Step, parser, run_step
from wsss.store.files import write_text
from wsss.store.label_maps import LabelShard


def report(step: Step) -> None:
    """Write the page, and the scores of every image, which are counted for it alone."""
    files = step.arguments
    index = step.read_index(files.index)
    maps = open_maps(step, files.maps, index)
    masks = open_shards(step, "masks", LabelShard, files.masks, index.masked or index)
    metrics = read_metrics(step.run, files.metrics)["masks"].values
    scores = score_images(masks, index, metrics, progress=step.machine.progress)
    step.write_metrics(files.images, scores)
    counted = Source(name_of(files.images), scores)
    results = read_results(step.run, files.metrics, files.chain, files.trainings, counted)
    write_text(files.out, render(results, index, gallery_rows(index, maps, masks, counted)))


if __name__ == "__main__":
    several = ("maps*", "masks*", "metrics*", "trainings*")
    arguments = parser(__doc__, "index", *several, "chain", "out", "images")
    run_step("masks", report, arguments.parse_args())
