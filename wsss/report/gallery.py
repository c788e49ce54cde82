"""A gallery of what the chain made of single images: a row an image, a picture a stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.data.palette import read_mask
from wsss.errors import UserError
from wsss.figures.numbers import Number, Source
from wsss.inference.shards import open_shards
from wsss.metrics import IGNORE
from wsss.report import pictures
from wsss.report.choose import choose_images
from wsss.runs.run import pictured
from wsss.runs.stages import STAGES
from wsss.runs.step import Step
from wsss.store.cams import ActivationShard, CamShard
from wsss.store.label_maps import LabelShard
from wsss.store.shards import SHARDS, AnyShard, saliency_of
from wsss.store.walks import WalkShard

#: least part of an image that a region has whose class is named in the picture, and the most of one class
NAMED, MOST_NAMED = 0.006, 3
#: how near to the border a name may be, percent
EDGE = 10.0


#: by stage and image id, the shards of the maps that a gallery shows before the masks
GalleryMaps = Mapping[str, Mapping[str, AnyShard]]


def open_maps(step: Step, paths: Sequence[Path], index: Index) -> GalleryMaps:
    """Open the maps of all images that a gallery may show before the masks.

    paths: of shards, `<stage>/<split>/<shard>` within the directory of a run, of stages that are `pictured`.
    Raises UserError for those of any other stage, and as `open_shards`.
    """
    # Images with a mask, which are scored; without any masks every image may be shown.
    images = index.masked or list(index)
    files: dict[str, list[Path]] = {stage: [] for stage in pictured(step.run)}
    for path in paths:
        if (stage := path.parent.parent.name) not in files:
            raise UserError(f"{path}: of {stage!r}; the report shows {', '.join(files)}")
        files[stage].append(path)
    return {
        stage: open_shards(step, stage, SHARDS[STAGES[stage].shards], shards, images)
        for stage, shards in files.items()
        if shards
    }


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


def gallery_rows(
    index: Index, maps: GalleryMaps, masks: Mapping[str, LabelShard], images: Source
) -> list[Row]:
    """The rows of the images that `choose_images` chooses.

    masks: by id, the shard of the final mask. images: the scores of single images, under `images`.
    """
    records = {record.id: record for record in index}
    chosen = choose_images(images.values["images"], {record.id: record.labels for record in index})
    names = ("background", *index.classes)
    return [_row(records[image], why, maps, masks[image], images, names) for image, why in chosen.items()]


def _row(
    record: Record,
    why: str,
    maps: GalleryMaps,
    masks: LabelShard,
    images: Source,
    names: tuple[str, ...],
) -> Row:
    image = np.asarray(read_image(record.image))
    mask = None if record.mask is None else read_mask(record.mask)
    row = [Picture("photograph", "photograph", f"photograph {record.id}: {', '.join(record.labels)}")]
    if mask is not None:
        row.append(_label_map("mask", mask, record.id, names, heading="mask (annotated)"))
    for stage, shards in maps.items():
        if record.id in shards:
            row += _pictures(stage, shards[record.id], record.id, names)
    row += _pictures("masks", masks, record.id, names)
    if mask is not None:
        overlay, shares = pictures.errors(masks[record.id], mask)
        wrong = ", ".join(f"{name} {share:.0f} %" for name, share in shares.items())
        row.append(Picture("errors", "errors", f"errors of the final mask of {record.id}: {wrong}", overlay))
    return Row(
        record.id,
        why,
        record.labels,
        images.number("images", record.id, "miou") if mask is not None else None,
        pictures.photograph(image),
        image.shape[1] / image.shape[0],
        row,
    )


def _pictures(stage: str, shard: AnyShard, image: str, names: tuple[str, ...]) -> list[Picture]:
    """What a stage's maps of an image show: a picture per CAM, else one."""
    name = STAGES[stage].picture
    if isinstance(shard, CamShard):
        cams = shard[image]
        told = f"of {{}} in {image}, brightest where the network sees the class"
        return [
            Picture(name, f"{name} {names[key]}", f"{name} {told.format(names[key])}", pictures.score(values))
            for key, values in zip(cams.keys[1:], cams.full(), strict=True)
        ]
    if isinstance(shard, WalkShard):
        walk = shard[image]
        told = f"{STAGES[stage].title} of {image}: {', '.join(names[key] for key in walk.keys[1:])}"
        return [Picture(name, name, told, pictures.scores_of_classes(walk.full(), walk.keys))]
    if isinstance(shard, LabelShard) and STAGES[stage].kind == "labels":
        return [_label_map(name, shard[image], image, names)]
    if not isinstance(shard, ActivationShard | LabelShard):
        raise TypeError(f"{stage}: no pictures are drawn of a {type(shard).__name__}")
    saliency = saliency_of(shard, image)
    told = f"{name} of {image}: {100 * saliency.mean():.0f} % salient"
    return [Picture(name, name, told, pictures.score(saliency))]


def _label_map(
    stage: str, values: np.ndarray, image: str, names: tuple[str, ...], heading: str = ""
) -> Picture:
    heading = heading or stage
    told = f"{heading} of {image}: {_told(values, names)}"
    return Picture(stage, heading, told, pictures.labels(values), _tags(values))


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
