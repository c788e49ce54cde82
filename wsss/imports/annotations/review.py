"""What `wsss review` writes: per photograph, whether its label map is accepted, or other labels."""

from pathlib import Path
from typing import Any

import numpy as np

from wsss.imports.annotations.entry import Annotations, Entry
from wsss.metrics import IGNORE
from wsss.store.files import read_json

FORM = "wsss review 1"


def is_review(found: Any) -> bool:
    """Whether JSON is of a review."""
    return isinstance(found, dict) and found.get("format") == FORM


def read_review(path: Path) -> Annotations:
    """Read a review. A rejected label map becomes one that is ignored (255) everywhere."""
    found = read_json(path)
    entries = []
    for image, decided in found["images"].items():
        rejected = decided["decision"] == "reject"
        labels = decided.get("labels")
        entries.append(
            Entry(image, tuple(labels or ()), _ignored if rejected else None, stated=labels is not None)
        )
    return Annotations("wsss review", tuple(found["classes"]), tuple(entries))


def _ignored(size: tuple[int, int]) -> np.ndarray:
    return np.full(size, IGNORE, np.uint8)
