"""Masks of photographs that are in no data set.

A network has learned from objects of some size in pixels. So a photograph that is larger than those of its
training is looked at smaller.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from wsss.config import MasksConfig
from wsss.data.index import Index, Record
from wsss.data.photos import Photo, within
from wsss.inference.masks import SegmentationNetwork, Segmented, masks_of, segmented


@dataclass(frozen=True)
class Looks:
    """How photographs are looked at.

    masks: test-time augmentation and CRF. side: longest side that the network sees, px; 0: any. batch: images
    that a GPU sees at once. workers: processes that load them for it. threads: for the CRF.
    """

    masks: MasksConfig
    side: int
    batch: int = 1
    workers: int = 0
    threads: int = 1


def photograph_masks(
    network: SegmentationNetwork, photos: Sequence[Photo], looks: Looks
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Masks of photographs as the network sees them, by way of a data set of small copies.

    With each, the network's probabilities before the CRF, float32 (C, h, w), background first.
    """
    kept: dict[str, np.ndarray] = {}

    def noted(images: Iterable[Segmented]) -> Iterator[Segmented]:
        for image in images:
            kept[image[0]] = image[2]
            yield image

    with TemporaryDirectory(prefix="wsss-") as directory:
        records = []
        for number, photo in enumerate(photos):
            path = Path(directory, f"{number}.png")
            within(photo.upright(), looks.side).save(path, compress_level=1)
            records.append(Record(photo.name, path, None, ()))
        found = segmented(
            network,
            Index(tuple(records), (), "photographs", ""),
            looks.masks.scales,
            batch=looks.batch,
            workers=looks.workers,
        )
        masks = masks_of(noted(found), looks.masks.crf, threads=looks.threads, waiting=len(records))
        for name, mask in masks:
            yield mask, kept.pop(name)
