"""A run at a glance: its mIoU as one file, and what each stage of the chain reaches and takes as a table.

Beside a figure stands by which protocol it was found, because they differ: the threshold of score maps is
chosen on the very masks that score them (an oracle), affinity labels are scored where they say something.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from wsss.report.costs import cost_of
from wsss.report.published import figure_of
from wsss.report.results import Scores, read_metrics, scores_in
from wsss.report.seeds import mious_of_seeds
from wsss.runs.run import Run, chain
from wsss.runs.stages import STAGES
from wsss.store.files import write_csv, write_text


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

    metrics: the JSON files of the run. Stages without one, such as trainings, have only time and memory.
    seconds: of all jobs of the stage together. A run with `seeds` has three more columns: how many of them
    have a score, and the mean and the sample standard deviation of the mIoU. Raises UserError for a file that
    the run does not have.
    """
    scores = scores_in(read_metrics(run, metrics))
    rows = [_row(run, stage, scores.get(stage)) for stage in chain(run)]
    if run.config.seeds:
        mious = mious_of_seeds(run)
        rows = [row | _spread(mious.get(row["stage"], [])) for row in rows]
    write_csv(path, rows)


def _spread(mious: Sequence[float]) -> dict[str, Any]:
    return {
        "seeds": len(mious) or "",
        "mean": _percent(mean(mious)) if mious else "",
        "sd": _percent(stdev(mious)) if len(mious) > 1 else "",
    }


def protocol_of(stage: str, scores: Mapping[str, Any]) -> str:
    """How a stage's outputs were scored. scores: of its metrics file."""
    if scores["miou"] is None:
        return "not scored: the split has no masks"
    return PROTOCOLS[STAGES[stage].scored_as](scores)


def _oracle(scores: Mapping[str, Any]) -> str:
    return f"oracle: best threshold on these masks, {scores['threshold']:.2f}"


#: the words of each protocol, by how a stage is scored
PROTOCOLS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "score maps": _oracle,
    "saliency": lambda scores: f"object or not; {_oracle(scores)}",
    "saliency masks": lambda scores: "object or not; fixed",
    "labels": lambda scores: "fixed",
    "partial labels": lambda scores: f"fixed; the {scores['coverage']:.1f} % of the pixels that have a label",
}


def _row(run: Run, stage: str, scores: Scores | None) -> dict[str, Any]:
    imported = run.given(stage)
    # Jobs that ran before the import have left their benchmarks.
    cost = cost_of(run.directory(stage) / "benchmarks", "" if imported else STAGES[stage].rule)
    figure = figure_of(run, stage)
    miou = scores.values["miou"] if scores else None
    protocol = protocol_of(stage, scores.values) if scores else f"given, {imported}" if imported else ""
    return {
        "stage": stage,
        "miou": "" if miou is None else _percent(miou),
        "split": scores.source.values["protocol"]["split"] if scores else "",
        "protocol": protocol,
        "published": figure.miou if figure else "",
        "published_as": figure.note if figure else "",
        "run": run.owner(stage).name,
        "jobs": f"{cost['jobs']:.0f}",
        "seconds": f"{cost['together']:.0f}",
        "peak_mb": f"{cost['peak memory']:.0f}",
    }
