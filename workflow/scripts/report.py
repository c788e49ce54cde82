"""Write a run's report: its scores, curves, pictures and settings on one page."""

from pathlib import Path

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
    arguments = parser(__doc__, "index")
    for name in ("maps", "masks", "metrics", "trainings"):
        meaning = f"all {name} of the run that the page shows"
        arguments.add_argument(f"--{name}", required=True, type=Path, nargs="*", help=meaning)
    arguments.add_argument("--chain", required=True, type=Path, help="one line per stage, CSV")
    arguments.add_argument("--out", required=True, type=Path, help="the page, HTML")
    arguments.add_argument("--images", required=True, type=Path, help="scores of single images, JSON")
    run_step("masks", report, arguments.parse_args())
