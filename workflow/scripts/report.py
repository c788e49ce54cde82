"""Write a run's report: its scores, curves, pictures and settings on one page."""

from pathlib import Path

from wsss.progress import LOGGER
from wsss.report.choose import choose_images
from wsss.report.gallery import MAPS, gallery_rows, open_maps
from wsss.report.numbers import Source
from wsss.report.page import render
from wsss.report.results import name_of, read_results
from wsss.report.scores import score_images
from wsss.runs.step import Step, parser, run_step
from wsss.store.files import write_text


def report(step: Step) -> None:
    """Write the page, and the scores of every image, which are counted for it alone."""
    files = step.arguments
    index = step.read_index(files.index)
    maps = open_maps(step, {stage: getattr(files, stage) for stage in MAPS}, index)
    masks = next(path for path in files.metrics if path.name.startswith("masks."))
    scores = score_images(maps.masks, index, step.read_metrics(masks), progress=step.machine.progress)
    step.write_metrics(files.images, scores)
    counted = Source(name_of(files.images), scores)
    results = read_results(step.run, files.metrics, files.chain, files.trainings, counted)
    chosen = choose_images(scores["images"], {record.id: record.labels for record in index})
    write_text(files.out, render(results, index, gallery_rows(chosen, index, maps, counted)))
    LOGGER.info("%s: %.1f MB, %d images", files.out, files.out.stat().st_size / 1e6, len(chosen))


if __name__ == "__main__":
    arguments = parser(__doc__, "index")
    arguments.add_argument("--chain", required=True, type=Path, help="one line per stage, CSV")
    many = {**MAPS, "metrics": "all metrics, JSON", "trainings": "logs of all trainings, CSV"}
    for name, text in many.items():
        arguments.add_argument(f"--{name.replace('_', '-')}", required=True, type=Path, nargs="*", help=text)
    arguments.add_argument("--out", required=True, type=Path, help="the page, HTML")
    arguments.add_argument("--images", required=True, type=Path, help="scores of single images, JSON")
    run_step("masks", report, arguments.parse_args())
