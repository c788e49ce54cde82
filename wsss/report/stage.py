"""From files to files: the page of a run as a step of it."""

from dataclasses import dataclass
from pathlib import Path

from wsss.data.index import Index
from wsss.data.stage import read_index
from wsss.inference.shards import open_shards
from wsss.progress import LOGGER
from wsss.report.choose import choose_images
from wsss.report.gallery import Shards, gallery_rows
from wsss.report.numbers import Source
from wsss.report.page import render
from wsss.report.results import name_of, read_results
from wsss.report.scores import score_images
from wsss.runs.stages import final_saliency
from wsss.runs.step import Step
from wsss.store.cams import CamShard
from wsss.store.files import read_json, write_json, write_text
from wsss.store.label_maps import LabelShard
from wsss.store.walks import WalkShard


@dataclass(frozen=True)
class Given:
    """The files that a report is made of: shards of the validation split, metrics of all, trainings' courses.

    A run that lacks a stage gives none of it.
    """

    index: Path
    cams: list[Path]
    saliency: list[Path]
    affinity_labels: list[Path]
    walks: list[Path]
    pseudo_labels: list[Path]
    masks: list[Path]
    metrics: list[Path]
    trainings: list[Path]
    chain: Path


def make_report(step: Step, given: Given, out: Path, images: Path) -> None:
    """Write the page, and what it counts itself: the score of every image and the confusion of classes.

    out: the page, HTML. images: the scores, JSON. Raises UserError naming a file that is of another
    configuration.
    """
    index = read_index(step, given.index)
    shards = _open(step, given, index)
    masked = next(path for path in given.metrics if path.name.startswith("masks."))
    scores = score_images(shards.masks, index, read_json(masked), progress=step.machine.progress)
    write_json(images, {"run": step.run.name, "digest": step.digest, **scores})
    counted = Source(name_of(images), scores)
    results = read_results(step.run, given.metrics, given.chain, given.trainings, counted)
    labels = {record.id: record.labels for record in index}
    chosen = choose_images(scores["images"], labels)
    write_text(out, render(results, index, gallery_rows(chosen, index, shards, counted)))
    LOGGER.info("%s: %.1f MB, %d images", out, out.stat().st_size / 1e6, len(chosen))


def _open(step: Step, given: Given, index: Index) -> Shards:
    # Those that are scored; where there are no masks at all, any may be shown.
    shown = [record for record in index if record.mask is not None] or list(index)

    def maps(stage: str, paths: list[Path]) -> dict[str, LabelShard]:
        return open_shards(step, stage, LabelShard, paths, shown) if paths else {}

    return Shards(
        cams=open_shards(step, "cams", CamShard, given.cams, shown) if given.cams else {},
        saliency=maps(final_saliency(step.run.config) or "", given.saliency),
        affinity_labels=maps("affinity_labels", given.affinity_labels),
        walks=open_shards(step, "walks", WalkShard, given.walks, shown) if given.walks else {},
        pseudo_labels=maps("pseudo_labels", given.pseudo_labels),
        masks=maps("masks", given.masks),
    )
