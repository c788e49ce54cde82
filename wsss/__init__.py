"""Weakly supervised semantic segmentation from image-level labels: the P-NOC chain as a library."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`wsss.Predictor`, imported when it is asked for: torch takes seconds, which few modules need."""
    if name in ("Prediction", "Predictor"):
        return getattr(import_module("wsss.predictor"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
