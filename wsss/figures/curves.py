"""Which lines a curve has: defined once, for the page (SVG) and for the pictures (PNG) alike."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from wsss.figures.charts import Chart, Line, Mark
from wsss.figures.numbers import Source

#: columns of a threshold curve, and their names
RATES = {"miou": "mIoU", "fp_rate": "FP / union", "fn_rate": "FN / union"}
#: columns of a training's log by their prefix: title of the chart, and what its y axis shows
TRAINING = {
    "loss/": ("losses", "unweighted"),
    "lr/": ("learning rate", "largest parameter group"),
    "val/": ("validation mIoU", "percent"),
}


def over_thresholds(
    source: Source, title: str, columns: Mapping[str, str] = RATES, marks: Sequence[Mark] = ()
) -> Chart:
    """Scores over the threshold.

    source: of a metrics file. columns: names of the lines by key of its curve.
    """
    curve: Sequence[Mapping[str, Any]] = source.values["curve"]
    thresholds = [point["threshold"] for point in curve]
    lines = [
        Line(
            name,
            thresholds,
            [float("nan") if point[key] is None else point[key] for point in curve],
            f"{source.name}#/curve/*/{key}",
        )
        for key, name in columns.items()
    ]
    split = source.values["protocol"]["split"]
    return Chart(f"{title} of {split}", "threshold θ", "percent", lines, marks)


def training_log(source: Source, *, val_title: str = "") -> list[Chart]:
    """Losses, learning rates and validation scores of a training. source: the rows of its log.

    val_title: says what the validation scores are scored against.
    """
    charts = []
    for prefix, (title, axis) in TRAINING.items():
        if lines := columns(source, prefix):
            # A training of one network has one learning rate; the title says all of it.
            if prefix == "lr/" and len(lines) == 1:
                lines = [replace(lines[0], name=title)]
            charts.append(Chart(val_title if prefix == "val/" and val_title else title, "epoch", axis, lines))
    return charts


def columns(source: Source, prefix: str) -> list[Line]:
    """A line over epochs for every column of a training's log whose name starts with the prefix."""
    rows: Sequence[Mapping[str, str]] = source.values
    names = dict.fromkeys(name for row in rows for name in row if name.startswith(prefix))
    lines = []
    for name in names:
        points = [(float(row["epoch"]), float(row[name])) for row in rows if row.get(name)]
        if points:
            x, y = zip(*points, strict=True)
            lines.append(Line(name.removeprefix(prefix), x, y, f"{source.name}#/*/{name}"))
    return lines
