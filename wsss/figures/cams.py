"""A sheet of images with their masks and CAMs, to see at a glance what the priors cover."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.data.maps import MapShard, ScoreMaps
from wsss.data.palette import IGNORE, read_mask, voc_palette
from wsss.figures.sheet import caption, fit, write_sheet
from wsss.inference.tta import full

#: images on a sheet; enough to see the kinds of failure, few enough to see each image
SHOWN = 32
#: side of one picture, px
TILE = 150


def cam_sheet(
    path: Path, index: Index, shards: Sequence[Path], *, threshold: float, shown: int = SHOWN
) -> None:
    """Write a sheet: per image the photograph, its mask, the CAM as a heat map, and the CAM as a mask.

    threshold: background score at which CAMs become a mask. The images are spread evenly over the index; a
    missing mask leaves its picture grey.
    """
    maps = {id_: shard for shard in map(MapShard, shards) for id_ in shard.ids}
    chosen = [index.records[i] for i in np.linspace(0, len(index) - 1, min(shown, len(index))).astype(int)]
    write_sheet(path, [_row(record, maps[record.id][record.id], threshold) for record in chosen], per_line=2)


def _row(record: Record, maps: ScoreMaps, threshold: float) -> list[np.ndarray]:
    image = np.asarray(read_image(record.image))
    scores = full(maps)
    palette = voc_palette()
    mask = read_mask(record.mask) if record.mask is not None else np.full(image.shape[:2], IGNORE, np.uint8)
    background = np.full((1, *scores.shape[1:]), threshold, scores.dtype)
    predicted = maps.keys[np.concatenate([background, scores]).argmax(axis=0)].astype(np.uint8)
    tiles = [image, palette[mask], _heat(image, scores), _blend(image, palette[predicted], predicted > 0)]
    tiles = [fit(tile, TILE) for tile in tiles]
    caption(tiles[0], record.id)
    caption(tiles[1], ", ".join(record.labels) or "no label")
    return tiles


def _heat(image: np.ndarray, scores: np.ndarray) -> np.ndarray:
    strength = scores.max(axis=0) if len(scores) else np.zeros(image.shape[:2], np.float32)
    colours = cv2.applyColorMap((255 * strength.clip(0, 1)).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    return (0.35 * image + 0.65 * colours).astype(np.uint8)


def _blend(image: np.ndarray, colours: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.where(where[..., None], 0.4 * image + 0.6 * colours, image).astype(np.uint8)
