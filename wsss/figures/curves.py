"""Curves of a run's metrics, for people who look before they read."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no display is needed, nor wanted on a cluster
from matplotlib.figure import Figure

from wsss.files import atomic


def threshold_curve(path: Path, metrics: dict[str, Any]) -> None:
    """Write mIoU, FP and FN rates over the background threshold, with the chosen one marked.

    metrics: what `wsss.inference.evaluate.evaluate_cams` returns.
    """
    curve = metrics["curve"]
    x = [point["threshold"] for point in curve]
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for key, label, style in (
        ("miou", "mIoU", "-"),
        ("fp_rate", "false positives / union", "--"),
        ("fn_rate", "false negatives / union", ":"),
    ):
        axes.plot(x, [point[key] for point in curve], style, label=label)
    axes.axvline(metrics["threshold"], color="grey", linewidth=0.8)
    axes.set_title(
        f"CAMs of {metrics['run']} on {metrics['protocol']['split']}: "
        f"{metrics['miou']:.1f} % at threshold {metrics['threshold']:.2f}"
    )
    axes.set_xlabel("background threshold")
    axes.set_ylabel("percent")
    axes.legend()
    axes.grid(alpha=0.3)
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
