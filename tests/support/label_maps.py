"""Photographs with label maps of every shape: holes, corners that touch, lines, whole and empty pictures."""

from pathlib import Path

import cv2
import numpy as np

from wsss.exports.sources import Labeled, Source
from wsss.store.files import write_png

CLASSES = ("leaf & stem", "roße")
SIZE = (60, 80)


def label_maps() -> dict[str, np.ndarray]:
    """By name, uint8 (60, 80) of 0, 1, 2 and 255."""
    ring, touching, line = (np.zeros(SIZE, np.uint8) for _ in range(3))
    cv2.circle(ring, (40, 30), 25, 1, -1)
    cv2.circle(ring, (40, 30), 12, 0, -1)
    cv2.circle(ring, (40, 30), 5, 2, -1)
    ring[:4] = 255
    touching[10:20, 10:20], touching[20:30, 20:30], touching[0:5, 70:80] = 1, 1, 2
    line[30, 5:70], line[50, 50] = 2, 1
    maps = {"ring": ring, "touching": touching, "line": line}
    return {**maps, "whole": np.ones(SIZE, np.uint8), "empty": np.zeros(SIZE, np.uint8)}


def source_under(root: Path, *, scores: bool = True) -> Source:
    """The photographs under `root`, with those labels, of the splits train and val in turn."""
    images = []
    for number, (name, mask) in enumerate(label_maps().items()):
        path = root / f"{name}.png"
        write_png(path, np.repeat(40 * mask[..., None], 3, axis=2))
        known = np.where(mask == 1, 0.75, 0.5) if scores else None
        images.append(Labeled(name, path, mask, known, ("train", "val")[number % 2]))
    return Source("test", CLASSES, ("train", "val"), [images])
