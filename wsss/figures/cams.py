"""A sheet of images with their masks and CAMs, to see at a glance what the priors cover."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.data.maps import MapShard, ScoreMaps
from wsss.data.palette import IGNORE, read_mask, voc_palette
from wsss.figures.sheet import Row, resize, resize_labels, size_within, write_sheet
from wsss.inference.tta import full

#: images on a sheet: enough to see the kinds of failure, few enough to see each image
SHOWN = 32
#: longest side of one picture, px
SIDE = 176
#: share of the colours that are laid over an image
COVER = 0.65


def cam_sheet(
    path: Path, index: Index, shards: Sequence[Path], metrics: dict[str, Any], *, shown: int = SHOWN
) -> None:
    """Write a sheet: per image the photograph, its mask, the largest CAM of all classes, the CAMs as a mask.

    shards: of the CAMs of all images of the index. metrics: of these CAMs, see `evaluate_cams`; CAMs become a
    mask at their threshold. The images are spread evenly over the index; without a mask, its place shows the
    bare image.
    """
    maps = {image_id: shard for shard in map(MapShard, shards) for image_id in shard.ids}
    places = np.linspace(0, len(index) - 1, min(shown, len(index))).round().astype(int)
    records = [index.records[place] for place in places]
    threshold = metrics["threshold"]
    found = f"mIoU {metrics['miou']:.1f} % at threshold {threshold:.2f}"
    write_sheet(
        path,
        [_row(record, maps[record.id][record.id], threshold) for record in records],
        side=SIDE,
        title=f"{metrics['run']}: CAMs of {index.split}, {found}",
        headings=("image", "mask", "CAM", f"CAM > {threshold:.2f}"),
        legend=_legend(index, records),
    )


def _row(record: Record, maps: ScoreMaps, threshold: float) -> Row:
    size = size_within(maps.size, SIDE)
    image = resize(np.asarray(read_image(record.image)), size)
    scores = full(maps)
    background = np.full((1, *maps.size), threshold, np.float32)
    predicted = maps.keys[np.concatenate([background, scores]).argmax(axis=0)].astype(np.uint8)
    mask = np.zeros(maps.size, np.uint8) if record.mask is None else read_mask(record.mask)
    pictures = [
        image,
        _coloured(image, resize_labels(mask, size)),
        _heat(image, resize(scores.max(axis=0, initial=0), size)),
        _coloured(image, resize_labels(predicted, size)),
    ]
    without = "" if record.mask else " (no mask)"
    return Row(f"{record.id}: {', '.join(record.labels) or 'no label'}{without}", pictures)


def _heat(image: np.ndarray, score: np.ndarray) -> np.ndarray:
    """A score map in colours, over a grey image."""
    colours = cv2.applyColorMap((255 * score.clip(0, 1)).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    return (COVER * colours + (1 - COVER) * _grey(image)).astype(np.uint8)


def _coloured(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The classes of a label map in their colours, over a grey image; the background stays bare."""
    grey = _grey(image)
    mixed = COVER * voc_palette()[labels] + (1 - COVER) * grey
    return np.where(labels[..., None] > 0, mixed, grey).astype(np.uint8)


def _grey(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2)


def _legend(index: Index, records: Sequence[Record]) -> list[tuple[str, tuple[int, int, int]]]:
    """The classes of these images with their colours, and that of ignored pixels."""
    seen = {name for record in records for name in record.labels}
    named = {name: c + 1 for c, name in enumerate(index.classes) if name in seen} | {"ignored": IGNORE}
    red, green, blue = voc_palette().T.tolist()
    return [(name, (red[value], green[value], blue[value])) for name, value in named.items()]
