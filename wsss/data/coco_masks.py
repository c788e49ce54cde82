"""VOC-style masks of COCO's annotations: one class per pixel, where objects may overlap and crowds are rough.

The rule: first crowds, then single objects, each from the largest to the smallest by their pixels; what
comes later covers what was there. So a single object is seen before the crowd around it, and a cup before
the table that it stands on. What is in no object is background. Crowds keep their class because their pixels
do show it; only where their parts end is not known, which no mask of classes says.

An object that has a box and no outline leaves its box ignored (255) where nothing else is painted. An image
that has such objects only, or one without a box, has no mask: what it shows is not known.
"""

import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from pycocotools import mask as coco_rle

from wsss.data.coco_annotations import Annotations, Picture, Thing, key_order
from wsss.data.index import raise_faults
from wsss.errors import UserError
from wsss.metrics import IGNORE

SHOWN_FAULTS = 20


def painted(annotations: Annotations) -> Iterator[tuple[str, np.ndarray]]:
    """The id and the mask, uint8 (H, W), of every image that has one, in order.

    Raises UserError at the end, with every annotation whose outline is none (see `paint`).
    """
    faults: list[str] = []
    for picture in annotations.pictures:
        if not is_paintable(picture) or len(faults) > SHOWN_FAULTS:
            continue
        try:
            mask = paint(picture)
        except UserError as error:
            faults.append(str(error))
        else:
            yield picture.id, mask
    raise_faults(annotations.source or "annotations", faults)


def is_paintable(picture: Picture) -> bool:
    """Whether an image's mask can be painted: it shows nothing, or has outlines and boxes for all else."""
    without = [thing for thing in picture.things if not has_outline(thing)]
    return len(without) < max(1, len(picture.things)) and all(_box(picture, thing) for thing in without)


def has_outline(thing: Thing) -> bool:
    """Whether an object has an outline, right or wrong; an empty one, a line and a point are none."""
    outline = thing.segmentation
    if isinstance(outline, list):
        return any(not _is_degenerate(points) for points in outline)
    return outline is not None and outline != {}


def paint(picture: Picture) -> np.ndarray:
    """The mask of an image, uint8 (H, W): channel + 1 of the class that is on top, 0 for background.

    Raises UserError naming image, annotation and value of an outline that is none of: polygons of at least
    three points near the image, run lengths of the image's size, packed or not.
    """
    mask = np.zeros((picture.height, picture.width), np.uint8)
    for thing in picture.things:
        if not has_outline(thing) and (box := _box(picture, thing)):
            left, top, right, bottom = box
            mask[top:bottom, left:right] = IGNORE
    outlines = [(thing, _run_lengths(picture, thing)) for thing in picture.things if has_outline(thing)]
    for thing, runs in sorted(
        outlines,
        key=lambda item: (not item[0].crowd, -int(coco_rle.area(item[1])), key_order(item[0].number)),
    ):
        mask[coco_rle.decode(runs).astype(bool)] = thing.channel + 1
    return mask


def _box(picture: Picture, thing: Thing) -> tuple[int, int, int, int] | None:
    """An object's box within the image: left, top, right, bottom, px; None where it has none."""
    box = thing.box
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(value) for value in box):
        return None
    left, top = (max(0, math.floor(value)) for value in box[:2])
    right = min(picture.width, math.ceil(box[0] + box[2]))
    bottom = min(picture.height, math.ceil(box[1] + box[3]))
    return (left, top, right, bottom) if right > left and bottom > top else None


def _run_lengths(picture: Picture, thing: Thing) -> Any:
    """The outline as pycocotools' packed run lengths."""
    outline, size = thing.segmentation, (picture.height, picture.width)
    if isinstance(outline, list):
        polygons = [points for points in outline if not _is_degenerate(points)]
        # pycocotools takes four numbers for a box.
        if all(isinstance(points, list) and len(points) >= 6 and len(points) % 2 == 0 for points in polygons):
            _require_near(picture, thing, polygons)
            return coco_rle.merge(coco_rle.frPyObjects(polygons, *size))
    if isinstance(outline, dict) and outline.get("size") in ([*size], size):
        counts = outline.get("counts")
        if isinstance(counts, bytes):
            counts = counts.decode("ascii", errors="replace")
        if isinstance(counts, list):
            _require_counts(picture, thing, counts, counts)
            return coco_rle.frPyObjects(outline, *size)
        if isinstance(counts, str) and counts:
            _require_counts(picture, thing, unpacked(counts), counts)
            return {"size": list(size), "counts": counts.encode()}
    raise UserError(
        f"{picture.file}: annotation {thing.number} is outlined neither by polygons of three or more points "
        f"nor by run lengths of {picture.width} x {picture.height} pixels, but by {_shown(outline)}"
    )


def _require_near(picture: Picture, thing: Thing, polygons: list[list[Any]]) -> None:
    """Refuse coordinates that are no numbers, or so far away that the rasterizer would not return."""
    for points in polygons:
        for place, value in enumerate(points):
            axis, side = ("y", picture.height) if place % 2 else ("x", picture.width)
            if not _is_number(value) or not -side <= value <= 2 * side:
                raise UserError(
                    f"{picture.file}: annotation {thing.number} has the {axis} coordinate {_shown(value)}; "
                    f"allowed: numbers from {-side} to {2 * side} (the image has {picture.width} x "
                    f"{picture.height} px)"
                )


def _require_counts(picture: Picture, thing: Thing, counts: list[Any] | None, written: Any) -> None:
    """Refuse run lengths that are negative, no numbers, or not of the image's pixels."""
    pixels = picture.height * picture.width
    whole = counts is not None and all(type(count) is int and count >= 0 for count in counts)
    if counts is None or not whole or sum(counts) != pixels:
        total = f", together {sum(counts)}" if counts is not None and whole else ""
        raise UserError(
            f"{picture.file}: annotation {thing.number} has the run lengths {_shown(written)}{total}; "
            f"allowed are whole numbers from 0 whose sum is {pixels} ({picture.width} x {picture.height} px)"
        )


def unpacked(text: str) -> list[int] | None:
    """Run lengths of pycocotools' text form; None for another text.

    A number is written in groups of five bits, the lowest first, as characters from '0' on; the sixth bit
    says that another group follows, the fifth bit of the last one is the sign. From the fourth number on, it
    is the difference to the number two before.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64 or shift > 60:
            return None
        value |= (group & 31) << shift
        shift += 5
        if not group & 32:
            value -= 1 << shift if group & 16 else 0
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value = shift = 0
    return None if shift else counts


def _is_degenerate(points: Any) -> bool:
    """Whether a polygon has fewer than three points."""
    return isinstance(points, list) and len(points) in (0, 2, 4)


def _is_number(value: Any) -> bool:
    """Whether a value is a finite number, of those that a float can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
