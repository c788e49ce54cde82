"""What a run's segmentation network says of photographs that are in no data set: masks, pictures, areas.

A network has learned from objects of some size in pixels. So a photograph that is larger than those of its
training is looked at smaller, and its mask made as large again.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wsss.data.palette import voc_palette
from wsss.data.photos import Photo, enlarged
from wsss.figures.overlay import colored
from wsss.inference.masks import SegmentationNetwork
from wsss.inference.photographs import Looks, photograph_masks
from wsss.progress import Progress
from wsss.store.files import atomic, write_json, write_png

#: photographs whose small copies lie on the disk at once; what they give is written before the next are read
AT_ONCE = 200
BACKGROUND = "background"


def predict(
    network: SegmentationNetwork,
    classes: Sequence[str],
    photos: Sequence[Photo],
    looks: Looks,
    out: Path,
    *,
    about: dict[str, Any],
    confidence: bool = False,
    progress: bool = True,
) -> Path:
    """Write a mask and an overlay of each photograph and a JSON file of their classes; returns the latter.

    classes: foreground, in channel order. out: directory, of `masks/<name>.png`, label maps with VOC's
    palette in the photograph's own size and as viewers turn it, `overlays/<name>.jpg`, and
    `predictions.json`: `about`, and per photograph its size and, of each class that it shows, pixels, percent
    and mean confidence, which is the network's probability of the label. With `confidence` also
    `confidence/<name>.png`, 8-bit gray, 255 for probability 1. Raises UserError for a photograph that does
    not decode; what was made before it stays.
    """
    made: list[dict[str, Any]] = []
    report = out / "predictions.json"
    shown = Progress("photographs", len(photos), unit="photographs", enabled=progress)
    try:
        for start in range(0, len(photos), AT_ONCE):
            group = photos[start : start + AT_ONCE]
            for photo, (mask, probabilities) in zip(
                group, photograph_masks(network, group, looks), strict=True
            ):
                scores = np.take_along_axis(probabilities, mask[None], 0)[0]
                made.append(_write(photo, mask, scores, classes, out, confidence=confidence))
                shown.update()
            write_json(report, {**about, "classes": list(classes), "photographs": made})
    finally:
        shown.close()
    return report


def _write(
    photo: Photo, mask: np.ndarray, scores: np.ndarray, classes: Sequence[str], out: Path, *, confidence: bool
) -> dict[str, Any]:
    image = photo.upright()
    total = np.bincount(mask.ravel(), scores.ravel(), minlength=256)
    means = total / np.bincount(mask.ravel(), minlength=256).clip(min=1)
    mask = enlarged(mask, (image.height, image.width))
    files = {"mask": out / "masks" / f"{photo.name}.png", "overlay": out / "overlays" / f"{photo.name}.jpg"}
    if confidence:
        files["confidence"] = out / "confidence" / f"{photo.name}.png"
        gray = np.round(255 * scores).astype(np.uint8)
        write_png(files["confidence"], enlarged(gray, (image.height, image.width)))
    write_png(files["mask"], mask, voc_palette())
    with atomic(files["overlay"]) as temporary:
        Image.fromarray(colored(np.asarray(image), mask)).save(temporary, quality=90)
    counts = np.bincount(mask.ravel(), minlength=len(classes) + 1)
    return {
        "photograph": os.fspath(photo.path),
        **{kind: path.relative_to(out).as_posix() for kind, path in files.items()},
        "width": image.width,
        "height": image.height,
        "areas": {
            name: {
                "pixels": int(count),
                "percent": round(100 * float(count) / mask.size, 2),
                "confidence": round(float(mean), 4),
            }
            for name, count, mean in zip((BACKGROUND, *classes), counts, means, strict=False)
            if count
        },
    }
