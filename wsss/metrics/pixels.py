"""Checks of label maps and masks, which all metrics share."""

from typing import Any

import numpy as np

#: mask value that is ignored (VOC's convention)
IGNORE = 255


def check_num_classes(num_classes: int) -> None:
    """ValueError unless classes, background and the ignored value fit into a byte."""
    if not 1 <= num_classes <= IGNORE:
        raise ValueError(f"num_classes (background included) must be 1..{IGNORE}, got {num_classes}")


def as_bytes(name: str, values: Any) -> np.ndarray:
    """`values` as uint8; ValueError where that would change them."""
    array = np.asarray(values)
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "iub":
        raise ValueError(f"{name} must hold integers, got {array.dtype}")
    if array.size and not (array.min() >= 0 and array.max() <= 255):
        raise ValueError(f"{name} must lie in 0..255, got {array.min()}..{array.max()}")
    return array.astype(np.uint8)


def check_values(name: str, histogram: np.ndarray, num_classes: int, *, ignore: bool) -> None:
    """ValueError if `histogram` (256,) of byte values has one that is no class (nor, if `ignore`, 255)."""
    wrong = np.flatnonzero(histogram[num_classes : IGNORE if ignore else None]) + num_classes
    if wrong.size:
        allowed = f"0..{num_classes - 1}" + (f" or {IGNORE} (ignored)" if ignore else "")
        raise ValueError(f"{name} holds {wrong.tolist()}, allowed are {allowed}")
