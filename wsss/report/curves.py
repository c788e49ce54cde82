"""The charts of the page: scores over thresholds, and the log of each training with its schedules."""

from wsss.config import PriorsConfig
from wsss.figures.charts import Chart, Line, Mark
from wsss.figures.curves import RATES, over_thresholds, training_log
from wsss.report.results import Results, Scores
from wsss.runs.choices import learns_from_pseudo_labels
from wsss.runs.stages import SALIENCY, STAGES

#: points of a schedule, which is drawn from the configuration
POINTS = 60


def threshold_charts(results: Results) -> list[Chart]:
    """mIoU, FP and FN over the threshold of all maps that have one, with the best threshold marked."""
    charts = []
    for stage, scores in results.scores.items():
        if STAGES[stage].scored_as == "score maps":
            charts.append(over_thresholds(scores.source, STAGES[stage].title, RATES, [_best(scores)]))
    saliency = {stage: scores for stage, scores in results.scores.items() if stage in SALIENCY.values()}
    if saliency:
        best = max(saliency, key=lambda stage: saliency[stage].values["miou"])
        columns = {STAGES[stage].metrics_key: STAGES[stage].title for stage in saliency}
        marks = [_best(scores, named=stage == best) for stage, scores in saliency.items()]
        charts.append(over_thresholds(saliency[best].source, "saliency", columns, marks))
    return charts


def training_charts(results: Results) -> dict[str, list[Chart]]:
    """By the training's stage: losses, learning rates, validation mIoU, and the weights of the losses."""
    config = results.run.config
    against = "pseudo labels" if learns_from_pseudo_labels(config) else "masks"
    charts = {}
    for stage, source in results.trainings.items():
        charts[stage] = training_log(source, val_title=f"validation mIoU (against {against})")
        if stage == "priors" and (weights := _weights(config.priors)):
            charts[stage].append(Chart("weights of the losses", "epoch", "as configured", weights))
    return charts


def training_warnings(results: Results) -> dict[str, str]:
    """By the training's stage, why it probably learned little; see `wsss.training.checks`."""
    last = {stage: source.values[-1].get("warning") for stage, source in results.trainings.items()}
    return {stage: warning for stage, warning in last.items() if warning}


def _best(scores: Scores, *, named: bool = True) -> Mark:
    """The best threshold of a stage's scores, and its mIoU."""
    return Mark(scores.number("threshold", digits=2), scores.number("miou"), named)


def _weights(section: PriorsConfig) -> list[Line]:
    """How the weights of the regularizers grow over the training."""
    epochs = section.optimisation.epochs
    places = [epochs * point / POINTS for point in range(POINTS + 1)]
    lines = []
    for name in section.regularizers:
        values = [getattr(section, name).weight_at(point, POINTS) for point in range(POINTS + 1)]
        lines.append(Line({"puzzle": "reconstruction"}.get(name, name), places, values))
    return lines
