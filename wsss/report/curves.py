"""The charts of the page: scores over thresholds, and the course of each training with its schedules."""

from collections.abc import Mapping, Sequence
from typing import Any

from wsss.config import PriorsConfig
from wsss.losses import ramp
from wsss.report.charts import Chart, Line, Mark
from wsss.report.numbers import Source
from wsss.report.results import Results, Scores
from wsss.runs.stages import STAGES

#: what a training's columns are, by how their names begin: heading of the chart, what its axis shows
COURSES = {
    "loss/": ("losses", "before their weights"),
    "lr/": ("learning rate", "largest of a network"),
    "val/": ("looks at val", "percent, to choose by"),
}
#: points of a schedule, which is drawn from the configuration
POINTS = 60


def threshold_charts(results: Results) -> list[Chart]:
    """mIoU, FP and FN over the threshold of every map that is cut at one, with the one that was chosen."""
    charts = []
    for stage, scores in results.scores.items():
        if STAGES[stage].scored_as == "score maps":
            columns = {"miou": "mIoU", "fp_rate": "FP / union", "fn_rate": "FN / union"}
            charts.append(_over_thresholds(scores.source, STAGES[stage].title, columns, [_chosen(scores)]))
    saliency = {
        stage: scores for stage, scores in results.scores.items() if STAGES[stage].scored_as == "saliency"
    }
    if saliency:
        best = max(saliency, key=lambda stage: saliency[stage].values["miou"])
        columns = {STAGES[stage].metrics_key: STAGES[stage].title for stage in saliency}
        marks = [_chosen(scores, named=stage == best) for stage, scores in saliency.items()]
        charts.append(_over_thresholds(saliency[best].source, "saliency", columns, marks))
    return charts


def training_charts(results: Results) -> dict[str, list[Chart]]:
    """By the training's stage: losses, learning rates, looks at val, and the weights of the losses."""
    charts = {}
    for stage, source in results.trainings.items():
        made = [
            Chart(heading, "epoch", axis, lines)
            for prefix, (heading, axis) in COURSES.items()
            if (lines := _columns(source, prefix))
        ]
        if stage == "priors" and (weights := _weights(results.run.config.priors)):
            made.append(Chart("weights of the losses", "epoch", "as configured", weights))
        charts[stage] = made
    return charts


def _chosen(scores: Scores, *, named: bool = True) -> Mark:
    """The chosen threshold of a stage's scores, and its mIoU."""
    return Mark(scores.number("threshold", digits=2), scores.number("miou"), named)


def _over_thresholds(source: Source, heading: str, shown: Mapping[str, str], marks: list[Mark]) -> Chart:
    curve: Sequence[Mapping[str, Any]] = source.values["curve"]
    thresholds = [point["threshold"] for point in curve]
    lines = [
        Line(label, thresholds, [_number(point[key]) for point in curve], f"{source.name}#/curve/*/{key}")
        for key, label in shown.items()
    ]
    split = source.values["protocol"]["split"]
    return Chart(f"{heading} of {split}", "threshold θ", "percent", lines, marks)


def _columns(source: Source, prefix: str) -> list[Line]:
    rows = source.values
    names = dict.fromkeys(name for row in rows for name in row if name.startswith(prefix))
    lines = []
    for name in names:
        found = [(float(row["epoch"]), float(row[name])) for row in rows if row.get(name)]
        if found:
            x, y = zip(*found, strict=True)
            lines.append(Line(name.removeprefix(prefix), x, y, f"{source.name}#/*/{name}"))
    return lines


def _weights(section: PriorsConfig) -> list[Line]:
    """How the weights of the regularizers grow over the training."""
    epochs = section.optimisation.epochs
    places = [epochs * point / POINTS for point in range(POINTS + 1)]
    lines = []
    for name in section.regularizers:
        part = getattr(section, name)
        values = [
            ramp(point, POINTS, part.weight_from, part.weight, part.ramp) for point in range(POINTS + 1)
        ]
        lines.append(Line({"puzzle": "reconstruction"}.get(name, name), places, values))
    return lines


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
