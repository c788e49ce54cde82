"""Curves of a run's metrics as pictures (PNG)."""

from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsss.figures.charts import Chart
from wsss.figures.curves import columns, over_thresholds, training_log
from wsss.figures.numbers import Source
from wsss.store.files import atomic, read_csv

#: class names are data: a $ in one starts no formula
plain_text = rc_context({"text.parse_math": False})


@plain_text
def threshold_curve(path: Path, metrics: dict[str, Any], *, name: str = "CAMs") -> None:
    """Write mIoU and error rates over the background threshold, and the IoU of each class at the best one.

    metrics: what `wsss.evaluation.scores.evaluate_scores` returns, and the name of its `run`. name: of the
    maps.
    """
    best = metrics["threshold"]
    figure, (left, right) = _panels(2, (1, 1))
    _draw(left, over_thresholds(Source("", metrics), name))
    left.plot([best], [metrics["miou"]], "o", color="C0")
    left.annotate(
        f"{metrics['miou']:.1f} % at {best:.2f}", (best, metrics["miou"]), (6, 6), textcoords="offset points"
    )
    # A class that never occurs has no IoU.
    iou = {name: value for name, value in reversed(metrics["iou"].items()) if value is not None}
    bars = right.barh(list(iou), list(iou.values()))
    right.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    right.set_xlim(0, 1.12 * max(1.0, *iou.values()))
    right.tick_params(axis="y", labelsize=8)
    _label(right, "IoU, percent", "", f"classes at θ = {best:.2f}")
    _write(path, figure, metrics["run"])


@plain_text
def saliency_curve(path: Path, metrics: dict[str, Any]) -> None:
    """Write the mIoU of each kind of saliency over the threshold, and its scores at the best one.

    metrics: what `wsss.evaluation.saliency.score_saliency` returns, the name of its `run`, and its `kinds`.
    """
    kinds = metrics["kinds"]
    figure, (left, right) = _panels(2, (1, 1))
    _draw(left, over_thresholds(Source("", metrics), "saliency", {kind: kind for kind in kinds}))
    bars = {
        "mIoU": [metrics[name]["miou"] for name in kinds],
        "object IoU": [metrics[name]["iou"]["object"] for name in kinds],
        "max F (β² = 0.3)": [metrics[name]["f_measure"] for name in kinds],
        "CAM mIoU": [metrics[name]["cams"]["miou"] for name in kinds],
        "MAE (lower is better)": [metrics[name]["mae"] for name in kinds],
    }
    thickness = 0.8 / len(kinds)
    for place, name in enumerate(kinds):
        centers = [row + place * thickness for row in range(len(bars))]
        drawn = right.barh(centers, [values[place] for values in bars.values()], thickness, label=name)
        right.bar_label(drawn, fmt="%.1f", padding=3, fontsize=7)
    right.set_yticks([row + 0.4 - thickness / 2 for row in range(len(bars))], list(bars), fontsize=8)
    right.invert_yaxis()
    right.set_xlim(0, 112)
    _label(right, "percent", "", "at the best θ; CAMs with 1 - saliency as background")
    _write(path, figure, metrics["run"])


@plain_text
def training_curve(path: Path, metrics: Path, *, name: str) -> None:
    """Write the log of a training: losses, learning rates, validation scores if there are any, and speed.

    metrics: the CSV that a training writes. name: title of the picture. Raises UserError when the file has no
    rows.
    """
    source = Source("", read_csv(metrics))
    memory = max(float(row.get("memory_gb") or 0) for row in source.values)
    speed = columns(source, "images_per_second")
    charts = [*training_log(source), Chart("images per second", "epoch", f"{memory:.1f} GB of memory", speed)]
    figure, panels = _panels(len(charts), (2, *[1] * (len(charts) - 1)))
    for axes, chart in zip(panels, charts, strict=True):
        _draw(axes, chart)
        axes.set_ylim(bottom=0)
    _write(path, figure, name)


def _panels(count: int, widths: tuple[int, ...]) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(4 + 3 * count, 4.2), layout="constrained")
    return figure, list(figure.subplots(1, count, width_ratios=widths, squeeze=False)[0])


def _draw(axes: Axes, chart: Chart) -> None:
    """Draw the lines of a chart; they differ in dashes, too."""
    for line, style in zip(chart.lines, cycle(("-", "--", ":")), strict=False):
        axes.plot(line.x, line.y, style, label=line.name)
    if len(chart.lines) > 1:
        axes.legend(fontsize=8, frameon=False)
    _label(axes, chart.x, chart.axis, chart.title)


def _label(axes: Axes, x: str, y: str, title: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _write(path: Path, figure: Figure, title: str) -> None:
    figure.suptitle(title)
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
