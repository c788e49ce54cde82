"""Images of one size together, because a GPU likes to see many at once; and results in the images' order.

Each image is decoded once and resized once per scale, and travels to the device as bytes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from wsss.data.images import image_size, read_image
from wsss.data.index import Record
from wsss.inference.tta import rescale
from wsss.machine.loading import loading

Result = TypeVar("Result")


@dataclass(frozen=True)
class Stack:
    """Images of one size.

    positions: among the records. sizes: (H, W) of each. pixels: per scale, uint8 (B, h, w, 3), RGB.
    """

    positions: list[int]
    records: list[Record]
    sizes: list[tuple[int, int]]
    pixels: list[Tensor]

    @property
    def named(self) -> str:
        """The images, for messages."""
        shown = ", ".join(record.id for record in self.records[:3])
        return shown if len(self.records) <= 3 else f"{shown} and {len(self.records) - 3} more"


def image_stacks(
    records: Sequence[Record], scales: Sequence[float], *, batch: int, workers: int, pin: bool
) -> Iterator[Stack]:
    """All images in stacks, ordered by the first of each, so that results are given early.

    batch: images per stack, fewer where there are fewer of a size. workers: processes that decode and resize;
    0 does so in this one. pin: into memory from which a GPU reads directly.
    """
    batches = _equal_sizes(records, batch)
    images, options = _Images(records, scales), {"batch_sampler": batches, "pin_memory": pin}
    with loading(images, workers, _stack, **options) as loaded:
        for positions, (sizes, pixels) in zip(batches, loaded, strict=True):
            yield Stack(positions, [records[position] for position in positions], sizes, pixels)


def in_order(results: Iterable[tuple[Sequence[int], Sequence[Result]]]) -> Iterator[Result]:
    """Results that come with their positions in any order, by position, each as soon as it can be."""
    done: dict[int, Result] = {}
    following = 0
    for positions, found in results:
        done |= zip(positions, found, strict=True)
        while following in done:
            yield done.pop(following)
            following += 1


class _Images(Dataset[tuple[tuple[int, int], list[np.ndarray]]]):
    """(H, W) of an image and its pixels, uint8 (h, w, 3), at each scale."""

    def __init__(self, records: Sequence[Record], scales: Sequence[float]) -> None:
        self.records = records
        self.scales = scales

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, position: int) -> tuple[tuple[int, int], list[np.ndarray]]:
        image = read_image(self.records[position].image)
        return (image.height, image.width), [np.asarray(rescale(image, scale)) for scale in self.scales]


def _stack(
    items: list[tuple[tuple[int, int], list[np.ndarray]]],
) -> tuple[list[tuple[int, int]], list[Tensor]]:
    """Sizes, and one uint8 (B, h, w, 3) per scale."""
    sizes, pixels = zip(*items, strict=True)
    return list(sizes), [torch.from_numpy(np.stack(arrays)) for arrays in zip(*pixels, strict=True)]


def _equal_sizes(records: Sequence[Record], batch: int) -> list[list[int]]:
    """Positions in batches of one image size, ordered by their first."""
    if batch == 1:
        return [[position] for position in range(len(records))]
    by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
    for position, record in enumerate(records):
        by_size[image_size(record.image)].append(position)
    return sorted(
        positions[start : start + batch]
        for positions in by_size.values()
        for start in range(0, len(positions), batch)
    )
