"""Curves of a run's metrics, for people who look before they read."""

import csv
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsss.errors import UserError
from wsss.files import atomic


def threshold_curve(path: Path, metrics: dict[str, Any]) -> None:
    """Write mIoU and rates of errors over the background threshold, and the IoU of each class at the best.

    metrics: what `wsss.inference.evaluate.evaluate_cams` returns, and the name of its `run`.
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
    _label(left, "background threshold θ", "percent", f"CAMs of {metrics['protocol']['split']}")
    left.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False)
    # A class that never occurs has no IoU.
    iou = {name: value for name, value in reversed(metrics["iou"].items()) if value is not None}
    bars = right.barh(list(iou), list(iou.values()))
    right.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    right.set_xlim(0, 1.12 * max(1.0, *iou.values()))
    right.tick_params(axis="y", labelsize=8)
    _label(right, "IoU, percent", "", f"classes at θ = {best:.2f}")
    _write(path, figure, metrics["run"])


def training_curve(path: Path, metrics: Path, *, name: str) -> None:
    """Write the course of a training: losses, learning rates, speed, over epochs.

    metrics: the CSV that a training writes. name: of the training, for the title. Raises UserError when the
    file has no rows.
    """
    with open(metrics, newline="", encoding="utf-8") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    if not rows:
        raise UserError(f"{metrics}: no rows")
    figure = Figure(figsize=(12, 4), layout="constrained")
    losses, rates, speed = figure.subplots(1, 3, width_ratios=(2, 1, 1))
    _lines(losses, rows, "loss/")
    _label(losses, "epoch", "", "losses, before their weights")
    losses.set_ylim(bottom=0)
    _lines(rates, rows, "lr/")
    _label(rates, "epoch", "", "largest learning rate")
    rates.set_ylim(bottom=0)
    _lines(speed, rows, "images_per_second")
    _label(speed, "epoch", "", f"images per second ({max(row['memory_gb'] for row in rows):.1f} GB)")
    speed.set_ylim(bottom=0)
    _write(path, figure, name)


def _lines(axes: Axes, rows: Sequence[dict[str, float]], prefix: str) -> None:
    """One line per column whose name begins so."""
    epochs = [row["epoch"] for row in rows]
    keys = [key for key in rows[0] if key.startswith(prefix)]
    for key, style in zip(keys, cycle(("-", "--")), strict=False):
        axes.plot(epochs, [row[key] for row in rows], style, label=key.removeprefix(prefix))
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
