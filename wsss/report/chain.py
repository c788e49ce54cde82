"""A run at a glance: its mIoU as one file, and what each stage of the chain reaches and takes as a table.

Beside a figure stands by which protocol it was found, because they differ: the threshold of score maps is
chosen on the very masks that score them (an oracle), affinity labels are scored where they say something.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsss.errors import UserError
from wsss.report.costs import Cost, costs_of
from wsss.report.published import figure_of
from wsss.runs.run import Run, stages
from wsss.store.files import read_json, write_csv, write_text

#: by stage, the rule that makes it, under whose name Snakemake keeps what it took
RULES = {
    "index": "index_images",
    "oc": "train_oc",
    "priors": "train_priors",
    "cams": "make_cams",
    "c2am": "train_c2am",
    "c2am_maps": "make_c2am_maps",
    "saliency_crf": "refine_saliency",
    "poolnet": "train_poolnet",
    "saliency": "make_saliency",
    "affinity_labels": "make_affinity_labels",
    "affinity": "train_affinity",
    "walks": "walk_cams",
    "pseudo_labels": "make_pseudo_labels",
    "segmentation": "train_segmentation",
    "masks": "make_masks",
}


def write_miou(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write the mIoU in percent with two decimals, and below one line per class: its IoU and its name.

    metrics: what `wsss.evaluation.labels.score_labels` returns. A class that never occurs is nan;
    of a split without masks all are, and the last lines say why, and which figures there cannot be.
    """
    rows = [_percent(metrics["miou"])]
    rows += [f"{_percent(iou)} {name}" for name, iou in metrics["iou"].items()]
    if metrics["miou"] is None:
        rows += [f"# {line}" for line in _why_unscored(metrics["protocol"])]
    write_text(path, "\n".join(rows) + "\n")


def _percent(value: float | None) -> str:
    return "nan" if value is None else f"{value:.2f}"


def _why_unscored(protocol: Mapping[str, Any]) -> list[str]:
    images, split = protocol["images_without_mask"], protocol["split"]
    return [
        f"none of the {images} images of {split} has a mask: the network's masks of it were not scored",
        "without masks there is no mIoU, IoU, FP or FN rate, precision or recall, and no best threshold",
        "what can be looked at: the losses of the trainings, the figures, and the masks themselves",
    ]


def write_chain(path: Path, run: Run, metrics: Sequence[Path]) -> None:
    """Write a CSV, one line per stage of a run: mIoU in percent, by which protocol, time and memory.

    metrics: the JSON files of the run, each called after what it scores. Stages without one, such as
    trainings, have time and memory alone. seconds: of all jobs of the stage together. Raises UserError for a
    file of an unknown name.
    """
    scores: dict[str, Score] = {}
    for file in metrics:
        scored = file.name.partition(".")[0]
        if scored not in READERS:
            raise UserError(f"{file}: scores no stage that is known; known are {', '.join(READERS)}")
        scores |= READERS[scored](scored, read_json(file))
    made = [stage for stage in stages(run) if stage in RULES]
    write_csv(path, [_row(run, stage, scores.get(stage)) for stage in made])


@dataclass(frozen=True)
class Score:
    """The mIoU of a stage, in percent, with the split and the protocol that it was found by.

    None where there is no mask to find it by.
    """

    miou: float | None
    split: str
    protocol: str


def _of_maps(stage: str, metrics: Mapping[str, Any]) -> dict[str, Score]:
    protocol = f"oracle: best threshold on these masks, {metrics['threshold']:.2f}"
    return {stage: Score(metrics["miou"], metrics["protocol"]["split"], protocol)}


def _of_labels(stage: str, metrics: Mapping[str, Any]) -> dict[str, Score]:
    if metrics["miou"] is None:
        return {stage: Score(None, metrics["protocol"]["split"], "not scored: the split has no masks")}
    part = (
        f"; the {metrics['coverage']:.1f} % of the pixels that have a label"
        if stage == "affinity_labels"
        else ""
    )
    return {stage: Score(metrics["miou"], metrics["protocol"]["split"], f"fixed{part}")}


def _of_saliency(_: str, metrics: Mapping[str, Any]) -> dict[str, Score]:
    stages_of = {"c2am": "c2am_maps", "crf": "saliency_crf", "poolnet": "saliency"}
    split = metrics["protocol"]["split"]
    return {
        stages_of[kind]: Score(
            found["miou"],
            split,
            f"object or not; oracle: best threshold on these masks, {found['threshold']:.2f}",
        )
        for kind in metrics["kinds"]
        for found in [metrics[kind]]
    }


READERS: dict[str, Callable[[str, Mapping[str, Any]], dict[str, Score]]] = {
    "cams": _of_maps,
    "saliency": _of_saliency,
    "affinity_labels": _of_labels,
    "walks": _of_maps,
    "pseudo_labels": _of_labels,
    "masks": _of_labels,
}


def _row(run: Run, stage: str, score: Score | None) -> dict[str, Any]:
    given = run.given(stage)
    costs = {} if given else costs_of(run.directory(stage) / "benchmarks")
    cost = costs.get(RULES[stage], Cost(0, 0.0, 0.0, 0.0, 0.0))
    figure = figure_of(run, stage)
    return {
        "stage": stage,
        "miou": "" if score is None or score.miou is None else _percent(score.miou),
        "split": score.split if score else "",
        "protocol": score.protocol if score else f"given, {given}" if given else "",
        "published": figure.miou if figure else "",
        "published_as": figure.note if figure else "",
        "run": run.owner(stage).name,
        "jobs": cost.jobs,
        "seconds": f"{cost.together:.0f}",
        "peak_mb": f"{cost.memory:.0f}",
    }
