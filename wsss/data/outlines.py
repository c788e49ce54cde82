"""Regions of a label map: the connected pixels of a class, as bit masks, outlines and run lengths."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_rle
from skimage.measure import find_contours

from wsss.metrics import IGNORE

#: largest distance of an outline from the pixels' borders, px
TOLERANCE = 0.5


@dataclass(frozen=True)
class Region:
    """Connected pixels of one class.

    value: of the class in the mask. box: left, top, width, height, px. pixels: bool (height, width) within
    the box. size: (H, W) of the image. confidence: mean score of its pixels in [0, 1]; None where unknown.
    """

    value: int
    box: tuple[int, int, int, int]
    pixels: np.ndarray
    size: tuple[int, int]
    confidence: float | None = None

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.pixels))

    @property
    def whole(self) -> np.ndarray:
        """The region in its image: uint8 (H, W), 0 or 1."""
        left, top, width, height = self.box
        mask = np.zeros(self.size, np.uint8)
        mask[top : top + height, left : left + width] = self.pixels
        return mask

    @cached_property
    def outlines(self) -> list[np.ndarray]:
        """The outer outline, then those of holes: float (N, 2), x and y in px, pixel (0, 0) from 0 to 1.

        The first point is not repeated. The centers of the region's pixels are inside, all others outside,
        but for a deviation of at most `TOLERANCE`.
        """
        left, top, _, _ = self.box
        padded = np.pad(self.pixels, 1).astype(np.float32)
        # Pixels that touch at a corner are one region.
        traced = find_contours(padded, 0.5, fully_connected="high")
        corners = [(contour[:-1, ::-1] - 0.5).astype(np.float32) for contour in traced]
        simple = [cv2.approxPolyDP(points[:, None], TOLERANCE, closed=True)[:, 0] for points in corners]
        # A thin line loses its area.
        kept = [simpler if len(simpler) > 2 else full for simpler, full in zip(simple, corners, strict=True)]
        limits, corner = np.array(self.size[::-1], np.float32), np.array((left, top), np.float32)
        moved = [np.add(points, corner).clip(0, limits) for points in kept]
        return sorted(moved, key=lambda points: -abs(_area(points)))

    @property
    def joined(self) -> np.ndarray:
        """One outline (N, 2) of the region, whose holes a cut connects with the outside."""
        outer, *holes = self.outlines
        for hole in holes:
            distance = ((outer[:, None] - hole[None]) ** 2).sum(-1)
            at, start = np.unravel_index(distance.argmin(), distance.shape)
            around = np.concatenate([np.roll(hole, -int(start), axis=0), hole[start : start + 1]])
            outer = np.concatenate([outer[: at + 1], around, outer[at:]])
        return outer

    @property
    def run_lengths(self) -> dict[str, object]:
        """COCO's packed run lengths, exact: `size` (H, W) and `counts`."""
        packed = coco_rle.encode(np.asfortranarray(self.whole))
        return {"size": [int(side) for side in packed["size"]], "counts": packed["counts"].decode("ascii")}

    def to_coco(self) -> dict[str, Any]:
        """The region as MS COCO has it, without its numbers; `score` is its confidence.

        A polygon or, of a region with holes, packed run lengths.
        """
        holes = len(self.outlines) > 1
        polygon = [[round(float(number), 2) for number in self.outlines[0].ravel()]]
        return {
            "category_id": self.value,
            "segmentation": self.run_lengths if holes else polygon,
            "area": self.area,
            "bbox": list(self.box),
            "iscrowd": 0,
            **({} if self.confidence is None else {"score": round(self.confidence, 4)}),
        }


def regions_of(mask: np.ndarray, scores: np.ndarray | None = None, *, least: int = 1) -> Iterator[Region]:
    """The regions of a label map, uint8 (H, W), by value and then from the top; not of 0 and 255.

    scores: of each pixel's label, in [0, 1], (H, W). least: smaller regions, in px, are left out. Pixels that
    touch at a corner are of one region.
    """
    size = (int(mask.shape[0]), int(mask.shape[1]))
    for value in np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist():
        if value in (0, IGNORE):
            continue
        count, numbers, stats, _ = cv2.connectedComponentsWithStats((mask == value).astype(np.uint8))
        for number in range(1, count):
            left, top, width, height, area = (int(each) for each in stats[number])
            if area < least:
                continue
            part = np.s_[top : top + height, left : left + width]
            pixels = numbers[part] == number
            confidence = None if scores is None else float(scores[part][pixels].mean())
            yield Region(value, (left, top, width, height), pixels, size, confidence)


def _area(points: np.ndarray) -> float:
    """Signed area of a polygon (N, 2)."""
    x, y = points.T.astype(np.float64)
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
