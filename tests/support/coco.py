"""A few images annotated as COCO's are: polygons, run lengths of both kinds, crowds, holes, overlaps."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_rle

from wsss.store.files import write_png, write_text

HEIGHT, WIDTH = 40, 60
#: numbers with gaps and out of order, as COCO's
CATEGORIES = [
    {"id": 7, "name": "train", "supercategory": "vehicle"},
    {"id": 1, "name": "person", "supercategory": "person"},
    {"id": 90, "name": "toothbrush", "supercategory": "indoor"},
    {"id": 13, "name": "stop sign", "supercategory": "outdoor"},
]
CLASSES = ("person", "train", "stop sign", "toothbrush")


def box(left: int, top: int, right: int, bottom: int) -> list[float]:
    """A polygon."""
    return [left, top, right, top, right, bottom, left, bottom]


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """Run lengths as COCO's crowds have them: numbers of 0 and 1 in turn, down the columns."""
    flat = mask.astype(np.uint8).ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    edges = np.concatenate([[0] if not flat[0] else [0, 0], changes, [flat.size]])
    return {"size": list(mask.shape), "counts": np.diff(edges).tolist()}


def packed(mask: np.ndarray) -> dict[str, Any]:
    """Run lengths as pycocotools packs them, as text."""
    found = coco_rle.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": found["counts"].decode()}


def disc(row: float, column: float, radius: float) -> np.ndarray:
    """A round mask."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def thing(number: int, image: int, category: int, segmentation: Any, crowd: int = 0) -> dict[str, Any]:
    """An annotation."""
    about = {"area": 1.0, "bbox": [0, 0, 1, 1], "iscrowd": crowd, "segmentation": segmentation}
    return {"id": number, "image_id": image, "category_id": category, **about}


def annotations() -> list[dict[str, Any]]:
    """What there is to be seen in images 9, 25 and 30; image 34 shows nothing."""
    ring = disc(20, 30, 15) & ~disc(20, 30, 7)
    return [
        # A large train, a person in two parts before it, a stop sign that sticks out of the image.
        thing(1, 9, 7, [box(2, 2, 50, 38)]),
        thing(2, 9, 1, [box(5, 5, 15, 20), box(20, 8, 26, 30)]),
        thing(3, 9, 13, [[40.5, -3.0, 70.0, 10.25, 48.75, 17.5]]),
        # A crowd of persons given last, a person within it, a ring of a train.
        thing(4, 25, 1, [box(10, 10, 20, 30)]),
        thing(5, 25, 7, packed(ring)),
        thing(6, 25, 1, run_lengths(disc(15, 20, 14)), crowd=1),
        # Two crowds, and two objects of the same size, of which the later one is on top.
        thing(7, 30, 90, run_lengths(disc(20, 20, 18)), crowd=1),
        thing(8, 30, 1, run_lengths(disc(20, 32, 10)), crowd=1),
        thing(10, 30, 13, [box(30, 5, 40, 15)]),
        thing(9, 30, 7, [box(34, 9, 44, 19)]),
    ]


def make_coco(root: Path, *, layout: str = "train2014", split: str = "train2014") -> Path:
    """Write the data set under `root`, its images in the directory `layout`. Returns the annotation file."""
    rng = np.random.default_rng(list(split.encode()))
    images = []
    for number in (30, 9, 34, 25):
        name = f"COCO_{split}_{number:012d}.png"
        write_png(root / layout / name, rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
        images.append({"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH})
    path = root / "annotations" / f"instances_{split}.json"
    found = {"images": images, "annotations": annotations(), "categories": CATEGORIES}
    write_text(path, json.dumps(found))
    return path
