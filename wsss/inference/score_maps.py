"""Score maps of images with test-time augmentation, kept at the resolution the network gives them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from wsss.data.index import Record
from wsss.inference.stacks import Stack, image_stacks, in_order
from wsss.store.maps import Maps


class MapSource(Protocol):
    """What gives maps of images; `MapNetwork` says how it is called."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""

    def loading(self, batch: int, workers: int) -> tuple[int, int]:
        """Images per stack, and processes that load them, of those asked for."""

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
    workers: see `image_stacks`.
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

    pin = network.device.type == "cuda"
    stacks = image_stacks(records, scales, batch=batch, workers=workers, pin=pin)
    return in_order((stack.positions, maps_of(stack)) for stack in stacks)
