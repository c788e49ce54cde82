"""COCO's instances: labels of all objects, masks of photographs whose objects are all outlined."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsss.data.coco_annotations import Picture, read_annotations
from wsss.data.coco_masks import has_outline, paint
from wsss.errors import UserError
from wsss.figures.sheet import resize_labels
from wsss.imports.annotations.entry import SPLITS, Annotations, Entry


def is_coco(found: Any) -> bool:
    """Whether JSON is of COCO's form."""
    return isinstance(found, dict) and {"images", "annotations", "categories"} <= found.keys()


def read_coco(paths: Sequence[Path]) -> Annotations:
    """Read files of instances; a split is the word in a file's name, such as `instances_train.json`.

    Raises UserError with what does not fit, and for files of different classes.
    """
    entries, classes = [], None
    for path in paths:
        found = read_annotations(path)
        if classes is not None and found.classes != classes:
            raise UserError(f"{path}: has other classes than {paths[0]}; they must be the same, in one order")
        classes = found.classes
        split = next((SPLITS[word] for word in path.stem.lower().split("_") if word in SPLITS), None)
        for picture in found.pictures:
            labels = tuple(found.classes[channel] for channel in picture.channels)
            outlined = all(has_outline(thing) for thing in picture.things)
            entries.append(
                Entry(
                    picture.file,
                    labels,
                    _painter(picture) if outlined else None,
                    (picture.height, picture.width),
                    split,
                )
            )
    return Annotations("COCO instances", classes or (), tuple(entries))


def _painter(picture: Picture) -> Callable[[tuple[int, int]], np.ndarray]:
    def painter(size: tuple[int, int]) -> np.ndarray:
        return resize_labels(paint(picture), size)

    return painter
