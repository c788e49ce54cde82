"""Score maps of images with test-time augmentation, kept at the resolution the network gives them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from torch import Tensor

from wsss.data.index import Record
from wsss.inference.stacks import Source, Stack, per_image
from wsss.store.maps import Maps


class MapSource(Source, Protocol):
    """What gives maps of images; `MapNetwork` says how it is called."""

    def __call__(self, images: Tensor, channels: list[list[int]], what: str) -> list[np.ndarray]:
        """Per image, the maps of its channels."""


def score_maps(
    network: MapSource,
    kind: type[Maps],
    records: Sequence[Record],
    channels: Callable[[Record], list[int]],
    scales: Sequence[float],
    *,
    batch: int,
    workers: int,
) -> Iterator[Maps]:
    """The maps of all records, in their order, while the network sees the images by size.

    kind: type of the maps. channels: of an image, ascending; channel c becomes the map of key c + 1. batch,
    workers: see `per_image`.
    """

    def maps_of(stack: Stack) -> list[Maps]:
        wanted = [channels(record) for record in stack.records]
        per_scale = [
            network(pixels, wanted, f"images {stack.named} at scale {scale}")
            for scale, pixels in zip(scales, stack.pixels, strict=True)
        ]
        found = []
        for row, (record, size) in enumerate(zip(stack.records, stack.sizes, strict=True)):
            keys = np.array([0, *(channel + 1 for channel in wanted[row])], np.int64)
            maps = {scale: maps[row] for scale, maps in zip(scales, per_scale, strict=True)}
            found.append(kind(record.id, size, keys, maps))
        return found

    return per_image(network, maps_of, records, scales, batch=batch, workers=workers)
