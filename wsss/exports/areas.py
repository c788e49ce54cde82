"""Areas of classes in photographs, for spreadsheets: a row per photograph and class, absent ones too."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from wsss.data.outlines import Region
from wsss.exports.sources import Labeled

COLUMNS = ("photograph", "class", "pixels", "percent", "regions", "confidence")


def area_rows(
    image: Labeled, regions: Sequence[Region], classes: Sequence[str], pixels_per_cm: float | None
) -> Iterator[dict[str, Any]]:
    """The rows of a photograph. percent: of the photograph. confidence: mean over the class's pixels.

    pixels_per_cm: adds `cm2`, for a photograph whose scale is the same everywhere.
    """
    counts = np.bincount(image.mask.ravel(), minlength=256)
    for value, name in enumerate(classes, 1):
        pixels = int(counts[value])
        known = image.scores is not None and pixels > 0
        row: dict[str, Any] = {
            "photograph": image.name,
            "class": name,
            "pixels": pixels,
            "percent": f"{100 * pixels / image.mask.size:.3f}",
            "regions": sum(region.value == value for region in regions),
            "confidence": f"{float(image.scores[image.mask == value].mean()):.3f}" if known else "",  # type: ignore[index]
        }
        if pixels_per_cm:
            row["cm2"] = f"{pixels / pixels_per_cm**2:.4f}"
        yield row
