"""A gallery of what the chain made of single images: a row an image, a picture a stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.data.palette import read_mask
from wsss.inference.shards import open_shards
from wsss.metrics import IGNORE
from wsss.report import pictures
from wsss.report.numbers import Number, Source
from wsss.runs.choices import final_saliency
from wsss.runs.step import Step
from wsss.store.cams import CamShard
from wsss.store.label_maps import LabelShard
from wsss.store.walks import WalkShard

#: least part of an image that a region has whose class is named in the picture, and the most of one class
NAMED, MOST_NAMED = 0.006, 3
#: how near to the border a name may be, percent
EDGE = 10.0


#: the maps that a gallery may show, and what their files are
MAPS = {
    "cams": "all shards of the CAMs of the validation split, if there are any",
    "saliency": "all shards of its saliency, if there are any",
    "affinity_labels": "all shards of its affinity labels, if there are any",
    "walks": "all shards of its walked CAMs, if there are any",
    "pseudo_labels": "all shards of its pseudo labels, if there are any",
    "masks": "all shards of its masks",
}


@dataclass(frozen=True)
class Shards:
    """By image id, the shard that holds its maps; empty where a run has none of them."""

    cams: Mapping[str, CamShard]
    saliency: Mapping[str, LabelShard]
    affinity_labels: Mapping[str, LabelShard]
    walks: Mapping[str, WalkShard]
    pseudo_labels: Mapping[str, LabelShard]
    masks: Mapping[str, LabelShard]


def open_maps(step: Step, files: Mapping[str, Sequence[Path]], index: Index) -> Shards:
    """Open the maps of all images that a gallery may show.

    files: the shards of each of `MAPS`. Raises UserError as `open_shards`.
    """
    # Images with a mask, which are scored; without any masks every image may be shown.
    shown = index.masked or list(index)

    def labels(stage: str, maker: str | None = None) -> dict[str, LabelShard]:
        return open_shards(step, maker or stage, LabelShard, files[stage], shown) if files[stage] else {}

    return Shards(
        cams=open_shards(step, "cams", CamShard, files["cams"], shown) if files["cams"] else {},
        saliency=labels("saliency", final_saliency(step.run.config)),
        affinity_labels=labels("affinity_labels"),
        walks=open_shards(step, "walks", WalkShard, files["walks"], shown) if files["walks"] else {},
        pseudo_labels=labels("pseudo_labels"),
        masks=labels("masks"),
    )


@dataclass(frozen=True)
class Tag:
    """A class's number in a picture, at percent of its width and height."""

    value: int
    x: float
    y: float


@dataclass(frozen=True)
class Picture:
    """A map over its photograph. stage: for the filter. overlay: data URI; none for the photograph itself."""

    stage: str
    heading: str
    told: str
    overlay: str = ""
    tags: list[Tag] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """All pictures of an image. why: it was chosen. miou: None without a mask. ratio: width by height."""

    id: str
    why: str
    labels: tuple[str, ...]
    miou: Number | None
    photograph: str
    ratio: float
    pictures: list[Picture]


def gallery_rows(chosen: Mapping[str, str], index: Index, shards: Shards, images: Source) -> list[Row]:
    """The rows of the chosen images. chosen: why, by id. images: their scores, under `images`."""
    records = {record.id: record for record in index}
    names = ("background", *index.classes)
    return [_row(records[image], why, shards, images, names) for image, why in chosen.items()]


def _row(record: Record, why: str, shards: Shards, images: Source, names: tuple[str, ...]) -> Row:
    image = np.asarray(read_image(record.image))
    mask = None if record.mask is None else read_mask(record.mask)

    def label_map(stage: str, heading: str, values: np.ndarray) -> Picture:
        told = f"{heading} of {record.id}: {_told(values, names)}"
        return Picture(stage, heading, told, pictures.labels(values), _tags(values))

    made = [Picture("photograph", "photograph", f"photograph {record.id}: {', '.join(record.labels)}")]
    if mask is not None:
        made.append(label_map("mask", "mask (annotated)", mask))
    if record.id in shards.cams:
        maps = shards.cams[record.id][record.id]
        for key, values in zip(maps.keys[1:], maps.full(), strict=True):
            told = f"CAM of {names[key]} in {record.id}, brightest where the class is seen"
            made.append(Picture("CAM", f"CAM {names[key]}", told, pictures.score(values)))
    if record.id in shards.saliency:
        values = shards.saliency[record.id][record.id] / np.float32(255)
        told = f"saliency of {record.id}: {100 * values.mean():.0f} % salient"
        made.append(Picture("saliency", "saliency", told, pictures.score(values)))
    for stage, heading in (
        ("affinity_labels", "affinity label"),
        ("walks", "walk"),
        ("pseudo_labels", "pseudo label"),
    ):
        found = getattr(shards, stage)
        if record.id in found and stage == "walks":
            maps = found[record.id][record.id]
            scores = maps.full()
            told = (
                f"CAMs of {record.id} after the random walk: {', '.join(names[key] for key in maps.keys[1:])}"
            )
            made.append(Picture(heading, heading, told, pictures.scores_of_classes(scores, maps.keys)))
        elif record.id in found:
            made.append(label_map(heading, heading, found[record.id][record.id]))
    final = shards.masks[record.id][record.id]
    made.append(label_map("final mask", "final mask", final))
    if mask is not None:
        overlay, shares = pictures.errors(final, mask)
        wrong = ", ".join(f"{name} {share:.0f} %" for name, share in shares.items())
        made.append(Picture("errors", "errors", f"errors of the final mask of {record.id}: {wrong}", overlay))
    return Row(
        record.id,
        why,
        record.labels,
        images.number("images", record.id, "miou") if mask is not None else None,
        pictures.photograph(image),
        image.shape[1] / image.shape[0],
        made,
    )


def _told(values: np.ndarray, names: tuple[str, ...]) -> str:
    """What a label map shows, in words."""
    shares = np.bincount(values.ravel(), minlength=256) / values.size
    words = {**dict(enumerate(names)), IGNORE: "open or ignored"}
    return ", ".join(
        f"{words[value]} {100 * shares[value]:.0f} %" for value in np.flatnonzero(shares).tolist()
    )


def _tags(values: np.ndarray) -> list[Tag]:
    """The numbers of the classes, each inside its largest regions, where the region is widest."""
    found = []
    height, width = values.shape
    for value in sorted(set(np.unique(values).tolist()) - {0, IGNORE}):
        _, regions, stats, _ = cv2.connectedComponentsWithStats((values == value).astype(np.uint8))
        sizes = stats[1:, cv2.CC_STAT_AREA]
        for region in np.argsort(-sizes)[:MOST_NAMED]:
            if sizes[region] < NAMED * values.size and region != sizes.argmax():
                continue
            inside = np.pad((regions == region + 1).astype(np.uint8), 1)
            depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
            y, x = np.unravel_index(depth.argmax(), depth.shape)
            places = (100 * (float(place) + 0.5) / side for place, side in ((x, width), (y, height)))
            found.append(Tag(value, *(min(max(place, EDGE), 100 - EDGE) for place in places)))
    return found
