"""VOC-style masks of COCO's annotations: one class per pixel, where objects may overlap and crowds are rough.

The rule: first crowds, then single objects, each from the largest to the smallest by their pixels; what
comes later covers what was there. So a single object is seen before the crowd around it, and a cup before
the table that it stands on. What is in no object is background; nothing is ignored (255). Crowds keep their
class because their pixels do show it; only where their parts end is not known, which no mask of classes
says.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from pycocotools import mask as coco_rle

from wsss.data.coco import Annotations, Picture, Thing
from wsss.errors import UserError


def painted(annotations: Annotations) -> Iterator[tuple[str, np.ndarray]]:
    """The id and the mask, uint8 (H, W), of every image, in order. For errors see `paint`."""
    return ((picture.id, paint(picture)) for picture in annotations.pictures)


def paint(picture: Picture) -> np.ndarray:
    """The mask of an image, uint8 (H, W): channel + 1 of the class that is on top, 0 for background.

    Raises UserError naming image and annotation whose outline is none of: polygons of at least three points,
    run lengths of the image's size, packed or not.
    """
    mask = np.zeros((picture.height, picture.width), np.uint8)
    outlines = [(thing, _run_lengths(picture, thing)) for thing in picture.things]
    for thing, runs in sorted(
        outlines, key=lambda item: (not item[0].crowd, -_area(item[1]), item[0].number)
    ):
        mask[coco_rle.decode(runs).astype(bool)] = thing.channel + 1
    return mask


def _area(runs: Any) -> int:
    return int(coco_rle.area(runs))


def _run_lengths(picture: Picture, thing: Thing) -> Any:
    """The outline as pycocotools' packed run lengths."""
    outline, size = thing.segmentation, (picture.height, picture.width)
    if isinstance(outline, list) and outline and all(_is_polygon(points) for points in outline):
        return coco_rle.merge(coco_rle.frPyObjects(outline, *size))
    if isinstance(outline, dict) and tuple(outline.get("size", ())) == size:
        counts = outline.get("counts")
        if isinstance(counts, list) and sum(counts) == size[0] * size[1]:
            return coco_rle.frPyObjects(outline, *size)
        if isinstance(counts, str | bytes) and counts:
            return {"size": list(size), "counts": counts if isinstance(counts, bytes) else counts.encode()}
    raise UserError(
        f"{picture.file}: annotation {thing.number} is outlined neither by polygons of three or more points "
        f"nor by run lengths of {picture.width} x {picture.height} pixels; restore the file of annotations"
    )


def _is_polygon(points: Any) -> bool:
    # pycocotools takes four numbers for a box.
    return isinstance(points, list) and len(points) >= 6 and len(points) % 2 == 0
