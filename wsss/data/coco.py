"""MS COCO 2014 from its annotation files: images of a split, their classes, and their image-level labels.

A root holds annotations/instances_<split>.json, and the images either in <split>/ or in JPEGImages/.
Classes are the categories in the order of their numbers, which have gaps; CAM channel c is mask value c +
1. An image has the label of every object that is annotated in it, crowds too.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from wsss.data.coco_annotations import Annotations, Key, Picture, read_annotations
from wsss.data.coco_masks import has_outline, is_paintable
from wsss.data.folder import MASK_SUFFIXES, NO_MASK
from wsss.data.formats import suffixes
from wsss.data.images import read_header
from wsss.data.index import Index, Record
from wsss.data.indexing import Checking, build_index
from wsss.data.listing import Names
from wsss.errors import UserError
from wsss.progress import LOGGER
from wsss.store.array_pickle import read_array_dict

#: VOC has so many classes; its labels are also spread under the name of COCO's
VOC_CLASSES = 20
SHOWN_IDS = 10


def coco_index(
    root: Path,
    split: str,
    annotations: Annotations,
    masks: Path | None,
    *,
    labels: Path | None = None,
    digest: str = "",
    painted: bool = False,
    checking: Checking | None = None,
) -> Index:
    """The checked index of a split.

    masks: directory of the masks, called as the images or, as they are spread, by their numbers in 12
    digits; an image may have none, but not all of them. None: there are none. painted: they are painted from
    the annotations, as far as these have outlines; an image may have none, and all of them. labels:
    image-level labels to take instead of the annotations'. Raises UserError with every fault of the split.
    """
    known = _given(labels, annotations) if labels else {}
    found = _Images(root, split)
    named = None if masks is None else Names(masks, MASK_SUFFIXES, deep=True)
    records, faults = [], []
    for picture in annotations.pictures:
        channels = known.get(picture.number, picture.channels)
        names = tuple(annotations.classes[channel] for channel in channels)
        image, mask = found.path(picture), None if named is None else _mask(named, picture)
        if painted and mask is not None and (fault := _size_fault(annotations, picture, image)):
            faults.append(fault)
            mask = None
        records.append(Record(picture.id, image, mask, names))
    if masks is not None and not painted and records and not any(record.mask for record in records):
        unread = next((files[0] for files in named.left_out.values()), None) if named else None
        why = f"; there is {unread}: {NO_MASK}" if unread else ""
        faults.append(
            f"{masks}: no mask of any of the {len(records)} images, such as {records[0].id}.png{why}"
        )
    unpainted = frozenset(_tell_unpainted(annotations)) if painted else frozenset()
    return build_index(
        records,
        annotations.classes,
        split,
        digest=digest,
        faults=faults,
        checking=checking,
        unpainted=unpainted,
    )


def coco_images(root: Path, split: str, annotations: Path) -> dict[str, Path]:
    """The image files of a split by id, as its annotations list them."""
    found = _Images(root, split)
    return {picture.id: found.path(picture) for picture in read_annotations(annotations).pictures}


class _Images:
    """The image files of a split, in the layouts that there are."""

    def __init__(self, root: Path, split: str) -> None:
        self.root = root
        self.layouts = [path for path in (root / split, root / "JPEGImages") if path.is_dir()]
        if not self.layouts:
            raise UserError(f"{root}: has neither {split}/ nor JPEGImages/, where the images should be")

    def path(self, picture: Picture) -> Path:
        """An image's file: as its entry says, in a layout or from the root on, or with another suffix."""
        paths = [place / picture.file for place in (*self.layouts, self.root)]
        if path := next((path for path in paths if path.is_file()), None):
            return path
        name = PurePosixPath(picture.file).with_suffix("").as_posix()
        return next((path for names in self.names if (path := names.get(name))), paths[0])

    @cached_property
    def names(self) -> list[Names]:
        """All files by name, listed where one is not called as its entry says."""
        return [Names(layout, suffixes(), deep=True) for layout in self.layouts]


def _mask(masks: Names, picture: Picture) -> Path | None:
    """An image's mask: called by its id, its path, or its number."""
    names = [picture.id, PurePosixPath(picture.file).with_suffix("").as_posix()]
    names += [f"{picture.number:012d}"] if isinstance(picture.number, int) else []
    return next((path for name in names if (path := masks.get(name))), None)


def _size_fault(annotations: Annotations, picture: Picture, image: Path) -> str | None:
    """What is wrong with the size that the annotations give an image, whose masks are painted in it."""
    try:
        header = read_header(image)
    except UserError:
        return None  # the index says why
    if (picture.height, picture.width) in (header.size, header.upright):
        return None
    height, width = header.upright
    return (
        f"{annotations.source}: image {picture.number} ({picture.file}): width x height "
        f"{picture.width} x {picture.height}; must be the file's, {width} x {height}"
    )


def _tell_unpainted(annotations: Annotations) -> Iterator[str]:
    """Count the annotations that cannot be painted; the classes that have some."""
    things = [thing for picture in annotations.pictures for thing in picture.things]
    without = [thing for thing in things if not has_outline(thing)]
    if not without:
        return
    maskless = sum(not is_paintable(picture) for picture in annotations.pictures)
    LOGGER.warning(
        "%s: %d of %d annotations have no outline (a box only, or fewer than three points). They count as "
        "labels, their boxes are ignored (255) in the masks; %d images that show nothing else, or where a "
        "box is missing, too, have no mask",
        *(annotations.source, len(without), len(things), maskless),
    )
    if maskless == len(annotations.pictures):
        LOGGER.warning(
            "%s: nothing can be painted, so no stage can be scored: set dataset.with_masks: false",
            annotations.source,
        )
    yield from {annotations.classes[thing.channel] for thing in without}


def _given(path: Path, annotations: Annotations) -> Mapping[Key, list[int]]:
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
    numbers = [picture.number for picture in annotations.pictures]
    missing = [number for number in numbers if number not in vectors]
    if missing:
        shown = ", ".join(map(str, missing[:SHOWN_IDS]))
        raise UserError(
            f"{path}: has no labels of {len(missing)} images of the split ({shown} …); without "
            "dataset.labels they are those of the annotations"
        )
    found: dict[Key, list[int]] = {
        picture.number: np.flatnonzero(vectors[picture.number] > 0.5).tolist()
        for picture in annotations.pictures
        if isinstance(picture.number, int)
    }
    differing = sum(found[picture.number] != picture.channels for picture in annotations.pictures)
    if differing:
        LOGGER.warning("%s: of %d images, %d have other labels than annotated", path, len(found), differing)
    return found
