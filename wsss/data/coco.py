"""MS COCO 2014 from its annotation files: images of a split, their classes, and their image-level labels.

A root holds annotations/instances_<split>.json, and the images either in <split>/ or in JPEGImages/.
Classes are the categories in the order of their numbers, which have gaps; CAM channel c is mask value c +
1. An image has the label of every object that is annotated in it, crowds too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsss.data.index import Index, Record, build_index
from wsss.errors import UserError
from wsss.progress import LOGGER
from wsss.store.array_pickle import read_array_dict
from wsss.store.files import read_json

#: VOC has so many classes; its labels are also spread under the name of COCO's
VOC_CLASSES = 20
SHOWN_IDS = 10


@dataclass(frozen=True)
class Thing:
    """An annotated object: its number, its class's channel, its outline, and whether it is a crowd."""

    number: int
    channel: int
    segmentation: Any
    crowd: bool


@dataclass(frozen=True)
class Picture:
    """An image of a split and all that is annotated in it; `id` is its file's name without suffix."""

    number: int
    file: str
    height: int
    width: int
    things: tuple[Thing, ...]

    @property
    def id(self) -> str:
        """The name by which all later stages know it."""
        return Path(self.file).stem

    @property
    def channels(self) -> list[int]:
        """The channels of the classes that it shows, ascending."""
        return sorted({thing.channel for thing in self.things})


@dataclass(frozen=True)
class Annotations:
    """All images of a split, by number, and the classes in channel order."""

    classes: tuple[str, ...]
    pictures: tuple[Picture, ...]


def read_annotations(path: Path) -> Annotations:
    """Read an annotation file. Raises UserError naming what it lacks, or the annotation that does not fit."""
    found = read_json(path)
    try:
        categories = sorted(found["categories"], key=lambda category: category["id"])
        channel = {category["id"]: c for c, category in enumerate(categories)}
        things: dict[int, list[Thing]] = {image["id"]: [] for image in found["images"]}
        for item in found["annotations"]:
            if item["image_id"] not in things or item["category_id"] not in channel:
                which = f"image {item['image_id']}, category {item['category_id']}"
                raise UserError(
                    f"{path}: annotation {item['id']} is of {which}, which the file does not list; restore it"
                )
            crowd = bool(item.get("iscrowd", 0))
            thing = Thing(item["id"], channel[item["category_id"]], item["segmentation"], crowd)
            things[item["image_id"]].append(thing)
        pictures = tuple(
            Picture(
                image["id"], image["file_name"], image["height"], image["width"], tuple(things[image["id"]])
            )
            for image in sorted(found["images"], key=lambda image: image["id"])
        )
    except KeyError as error:
        raise UserError(f"{path}: not a file of COCO's instances: {error} is missing; restore it") from None
    except (TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a file of COCO's instances ({error}); restore it") from None
    return Annotations(tuple(category["name"] for category in categories), pictures)


def coco_index(
    root: Path,
    split: str,
    annotations: Annotations,
    masks: Path,
    *,
    labels: Path | None = None,
    digest: str = "",
) -> Index:
    """The checked index of a split.

    masks: directory of the masks, called as the images or, as they are spread, by their numbers in 12
    digits; an image may have none, but not all of them. labels: image-level labels to take instead of the
    annotations'. Raises UserError with every fault of the split.
    """
    known = _given(labels, annotations) if labels else {}
    layouts = [path for path in (root / split, root / "JPEGImages") if path.is_dir()]
    if not layouts:
        raise UserError(f"{root}: has neither {split}/ nor JPEGImages/, where the images should be")
    records = []
    for picture in annotations.pictures:
        channels = known.get(picture.number, picture.channels)
        names = tuple(annotations.classes[channel] for channel in channels)
        found = (masks / f"{name}.png" for name in (picture.id, f"{picture.number:012d}"))
        mask = next((path for path in found if path.is_file()), None)
        images = [layout / picture.file for layout in layouts]
        image = next((path for path in images if path.is_file()), images[0])
        records.append(Record(picture.id, image, mask, names))
    faults = []
    if records and not any(record.mask for record in records):
        faults.append(f"{masks}: no mask of any of the {len(records)} images, such as {records[0].id}.png")
    return build_index(records, annotations.classes, split, digest=digest, faults=faults)


def _given(path: Path, annotations: Annotations) -> Mapping[int, list[int]]:
    """Channels by the image's number, from a file of labels; those that differ are counted and told."""
    vectors, classes = read_array_dict(path), len(annotations.classes)
    sizes = {vector.shape for vector in vectors.values()}
    if sizes != {(classes,)}:
        shapes = ", ".join(sorted(map(str, sizes))) or "no vectors"
        whose = ""
        if sizes == {(VOC_CLASSES,)}:
            whose = (
                ". These are VOC's labels: a file of them is spread as coco14/cls_labels.npy. COCO's own is "
                "called cls_labels_coco.npy; or leave dataset.labels out, and the annotations' are taken"
            )
        raise UserError(f"{path}: vectors of {shapes}, must be ({classes},), a value per class{whose}")
    missing = [picture.number for picture in annotations.pictures if picture.number not in vectors]
    if missing:
        shown = ", ".join(map(str, missing[:SHOWN_IDS]))
        raise UserError(
            f"{path}: has no labels of {len(missing)} images of the split ({shown} …); without "
            "dataset.labels they are those of the annotations"
        )
    found = {
        picture.number: np.flatnonzero(vectors[picture.number] > 0.5).tolist()
        for picture in annotations.pictures
    }
    differing = sum(found[picture.number] != picture.channels for picture in annotations.pictures)
    if differing:
        LOGGER.warning("%s: of %d images, %d have other labels than annotated", path, len(found), differing)
    return found
