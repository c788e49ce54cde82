"""CAMs of a shard of images with test-time augmentation, kept at the resolution the network gives them.

Each image is decoded once and resized once per scale, travels to the device as bytes, and is normalised,
mirrored and merged with its mirror image there. Images of one size share a batch.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wsss.data.images import image_size, read_image
from wsss.data.index import Index, Record
from wsss.data.maps import ScoreMaps
from wsss.errors import UserError
from wsss.inference.cam_network import CamNetwork
from wsss.inference.tta import rescale
from wsss.models.classifier import Classifier
from wsss.progress import track

#: published scales
SCALES = (0.5, 1.0, 1.5, 2.0)


def cam_maps(
    model: Classifier,
    index: Index,
    *,
    shard: tuple[int, int] = (0, 1),
    scales: Sequence[float] = SCALES,
    flip: bool = True,
    precision: str = "float32",
    device: str | torch.device = "cpu",
    batch: int = 1,
    workers: int = 0,
    progress: bool = True,
) -> Iterator[ScoreMaps]:
    """The CAMs of the labelled classes of each image of a shard, in the index's order.

    An image without labels has K = 0. For what a map is, for `flip` and `precision` see `CamNetwork`.

    shard: (i, n), the images whose position in the index is i mod n. batch: images of one size that a GPU
    sees at once, and their mirror images with them. workers: processes that decode and resize for a GPU. A
    CPU takes one image at a time, which is up to twice as fast as eight, and decodes in this process, which
    is a hundredth of the work; it is best used by one process of one thread per core, each with its shard.

    Raises UserError when no image of the whole index has image-level labels, when a single image does not fit
    into the GPU's memory, and when a map is not finite.
    """
    if len(index) and not any(record.labels for record in index):
        raise UserError(
            f"split {index.split}: none of its {len(index)} images has image-level labels. CAMs keep the "
            "labelled classes only, so they need such labels; choose a split that has them"
        )
    part = index.shard(*shard)
    network = CamNetwork(model, torch.device(device), precision, flip)
    if network.device.type == "cpu":
        batch, workers = 1, 0
    label = f"CAMs of {index.split}" + (f" {shard[0] + 1}/{shard[1]}" if shard[1] > 1 else "")
    maps = in_order(network, part, scales, batch=batch, workers=workers)
    return track(maps, label=label, total=len(part), enabled=progress)


def in_order(
    network: CamNetwork, index: Index, scales: Sequence[float], *, batch: int, workers: int
) -> Iterator[ScoreMaps]:
    """The maps of all images of an index, in its order, while the network sees them by size.

    batch: images per stack, fewer where there are fewer of a size. workers: processes that decode and resize;
    0 does so in this one.
    """
    channel = {name: position for position, name in enumerate(index.classes)}
    batches = _equal_sizes(index.records, batch)
    loader = DataLoader(
        _Images(index.records, scales),
        batch_sampler=batches,
        collate_fn=_stack,
        num_workers=workers,
        pin_memory=network.device.type == "cuda",
    )
    done: dict[int, ScoreMaps] = {}
    following = 0
    for positions, (sizes, stacks) in zip(batches, loader, strict=True):
        records = [index.records[position] for position in positions]
        channels = [sorted(channel[name] for name in record.labels) for record in records]
        per_scale = [
            network(stack, channels, f"images {_named(records)} at scale {scale}")
            for scale, stack in zip(scales, stacks, strict=True)
        ]
        for row, (position, record) in enumerate(zip(positions, records, strict=True)):
            keys = np.array([0, *(c + 1 for c in channels[row])], np.int64)
            maps = {scale: found[row] for scale, found in zip(scales, per_scale, strict=True)}
            done[position] = ScoreMaps(record.id, sizes[row], keys, maps)
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
    """Positions in batches of one image size, ordered by their first, so that results are given early."""
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


def _named(records: Sequence[Record]) -> str:
    shown = ", ".join(record.id for record in records[:3])
    return shown if len(records) <= 3 else f"{shown} and {len(records) - 3} more"
