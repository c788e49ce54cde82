"""Curves of a run's metrics, for people who look before they read."""

import csv
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsss.errors import UserError
from wsss.store.files import atomic


def threshold_curve(path: Path, metrics: dict[str, Any], *, name: str = "CAMs") -> None:
    """Write mIoU and rates of errors over the background threshold, and the IoU of each class at the best.

    metrics: what `wsss.evaluation.scores.evaluate_scores` returns, and the name of its `run`. name: of the
    maps.
    """
    curve, best = metrics["curve"], metrics["threshold"]
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    thresholds = [point["threshold"] for point in curve]
    for key, label, style in (
        ("miou", "mIoU", "-"),
        ("fp_rate", "false positives / union", "--"),
        ("fn_rate", "false negatives / union", ":"),
    ):
        left.plot(thresholds, [point[key] for point in curve], style, label=label)
    left.plot([best], [metrics["miou"]], "o", color="C0")
    left.annotate(
        f"{metrics['miou']:.1f} % at {best:.2f}", (best, metrics["miou"]), (6, 6), textcoords="offset points"
    )
    _label(left, "background threshold θ", "percent", f"{name} of {metrics['protocol']['split']}")
    left.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False)
    # A class that never occurs has no IoU.
    iou = {name: value for name, value in reversed(metrics["iou"].items()) if value is not None}
    bars = right.barh(list(iou), list(iou.values()))
    right.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    right.set_xlim(0, 1.12 * max(1.0, *iou.values()))
    right.tick_params(axis="y", labelsize=8)
    _label(right, "IoU, percent", "", f"classes at θ = {best:.2f}")
    _write(path, figure, metrics["run"])


def saliency_curve(path: Path, metrics: dict[str, Any]) -> None:
    """Write the mIoU of each kind of saliency over the threshold, and its scores at the best one.

    metrics: what `wsss.evaluation.saliency.score_saliency` returns, the name of its `run`, and its
    `kinds`.
    """
    kinds, curve = metrics["kinds"], metrics["curve"]
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in kinds:
        left.plot([point["threshold"] for point in curve], [point[name] for point in curve], label=name)
    _label(left, "threshold θ", "mIoU, percent", f"saliency of {metrics['protocol']['split']}")
    left.legend(fontsize=8)
    bars = {
        "mIoU": [metrics[name]["miou"] for name in kinds],
        "object IoU": [metrics[name]["iou"]["object"] for name in kinds],
        "max F (β² = 0.3)": [metrics[name]["f_measure"] for name in kinds],
        "MAE": [metrics[name]["mae"] for name in kinds],
        "CAM mIoU": [metrics[name]["cams"]["miou"] for name in kinds],
    }
    thickness = 0.8 / len(kinds)
    for place, name in enumerate(kinds):
        centres = [row + place * thickness for row in range(len(bars))]
        drawn = right.barh(centres, [values[place] for values in bars.values()], thickness, label=name)
        right.bar_label(drawn, fmt="%.1f", padding=3, fontsize=7)
    right.set_yticks([row + 0.4 - thickness / 2 for row in range(len(bars))], list(bars), fontsize=8)
    right.invert_yaxis()
    right.set_xlim(0, 112)
    _label(right, "percent", "", "at the best θ; CAMs with 1 - saliency as background")
    _write(path, figure, metrics["run"])


def training_curve(path: Path, metrics: Path, *, name: str) -> None:
    """Write the course of a training: losses, learning rates, speed, over epochs.

    Where the network was looked at between epochs, the scores of that stand beside. metrics: the CSV that a
    training writes. name: of the training, for the title. Raises UserError when the file has no rows.
    """
    with open(metrics, newline="", encoding="utf-8") as file:
        logged = [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]
    rows = [{key: float(row[key]) for key in row if key != "warning"} for row in logged]
    if not rows:
        raise UserError(f"{metrics}: no rows; train again: snakemake --cores all --force {metrics}")
    looked = [row for row in rows if any(key.startswith("val/") for key in row)]
    panels = 4 if looked else 3
    figure = Figure(figsize=(3 + 3 * panels, 4), layout="constrained")
    losses, rates, speed, *scores = figure.subplots(1, panels, width_ratios=(2, 1, 1, 1)[:panels])
    _lines(losses, rows, "loss/")
    _label(losses, "epoch", "", "losses, before their weights")
    losses.set_ylim(bottom=0)
    _lines(rates, rows, "lr/")
    _label(rates, "epoch", "", "largest learning rate")
    rates.set_ylim(bottom=0)
    _lines(speed, rows, "images_per_second")
    memory = max(row.get("memory_gb", 0) for row in rows)
    _label(speed, "epoch", "", f"images per second ({memory:.1f} GB)")
    speed.set_ylim(bottom=0)
    for axes in scores:
        _lines(axes, looked, "val/")
        _label(axes, "epoch", "percent", "mIoU of val, to choose by")
    _write(path, figure, name)


def _lines(axes: Axes, rows: Sequence[dict[str, float]], prefix: str) -> None:
    """One line per column whose name begins so, through the rows that have it."""
    keys = dict.fromkeys(key for row in rows for key in row if key.startswith(prefix))
    for key, style in zip(keys, cycle(("-", "--")), strict=False):
        points = [(row["epoch"], row[key]) for row in rows if key in row]
        axes.plot(*zip(*points, strict=True), style, label=key.removeprefix(prefix))
    if len(axes.lines) > 1:
        axes.legend(fontsize=8)


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
