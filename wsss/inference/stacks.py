"""Images in stacks of one size, which a GPU computes at once; and results in the order of the images.

Each image is decoded once, resized once per scale, and moved to the device as bytes. The maps of all scales
are merged when they are read, see `wsss.store.cams`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from wsss.data.images import image_size, read_image
from wsss.data.index import Record
from wsss.errors import listed
from wsss.machine.loading import loading

Result = TypeVar("Result")


class Source(Protocol):
    """What computes maps of images, such as a `DeviceNetwork`."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""

    def loading(self, batch: int, workers: int) -> tuple[int, int]:
        """Images per stack, and processes that load them, of those asked for."""


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
        return listed([record.id for record in self.records], most=3)


def per_image(
    source: Source,
    compute: Callable[[Stack], Sequence[Result]],
    records: Sequence[Record],
    scales: Sequence[float],
    *,
    batch: int,
    workers: int,
) -> Iterator[Result]:
    """What `compute` gives for each image, in the order of the records.

    batch: images of one size that a GPU computes at once, and their mirror images with them. workers:
    processes that decode and resize for a GPU. A CPU does without either, see `DeviceNetwork.loading`.
    """
    batch, workers = source.loading(batch, workers)
    pin = source.device.type == "cuda"
    stacks = image_stacks(records, scales, batch=batch, workers=workers, pin=pin)
    return in_order((stack.positions, compute(stack)) for stack in stacks)


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


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(H, W) of an image at a test scale: rounded, halves to even (Python's `round`), at least 1."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def rescale(image: Image.Image, scale: float) -> Image.Image:
    """`image` at a test scale, resized by Pillow's bicubic filter (which widens when it shrinks)."""
    height, width = scaled_size((image.height, image.width), scale)
    if (height, width) == (image.height, image.width):
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC)
