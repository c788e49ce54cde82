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
from wsss.inference.tta import rescale
from wsss.models.classifier import Classifier
from wsss.models.weights import Normalization
from wsss.progress import LOGGER, track

#: published scales
SCALES = (0.5, 1.0, 1.5, 2.0)
PRECISION = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


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

    At scale s: relu(A(image)) + flip(relu(A(flipped image))), or relu(A(image)) without `flip`; float32
    (K, h, w). An image without labels has K = 0. The model is moved to `device` and put in evaluation mode.

    shard: (i, n), the images whose position in the index is i mod n. precision: "float32", or "bf16" and
    "fp16" for mixed precision. batch: images of one size that the network sees at once, and their mirror
    images with them; one is best on a CPU. Where a batch does not fit into the GPU's memory it is halved,
    which changes no map. workers: processes that decode and resize; 0 does so in this one.

    Raises UserError when no image of the whole index has image-level labels, when a single image does not fit
    into the GPU's memory, and when a map is not finite.
    """
    if precision not in PRECISION:
        raise ValueError(f"precision {precision!r}, allowed are {', '.join(PRECISION)}")
    if len(index) and not any(record.labels for record in index):
        raise UserError(
            f"split {index.split}: none of its {len(index)} images has image-level labels. CAMs keep the "
            "labelled classes only, so they need such labels; choose a split that has them"
        )
    part = index.shard(*shard)
    maps = _Network(model, torch.device(device), precision, flip)
    label = f"CAMs of {index.split}" + (f" {shard[0] + 1}/{shard[1]}" if shard[1] > 1 else "")
    return track(
        _in_order(maps, part, tuple(scales), batch, workers), label=label, total=len(part), enabled=progress
    )


def _in_order(
    network: "_Network", index: Index, scales: tuple[float, ...], batch: int, workers: int
) -> Iterator[ScoreMaps]:
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


class _Network:
    """A model on its device: bytes in, merged maps of the wanted channels out."""

    def __init__(self, model: Classifier, device: torch.device, precision: str, flip: bool) -> None:
        self.layout = torch.channels_last if model.backbone.prefers_channels_last else torch.contiguous_format
        # mypy: torch's stub knows no memory_format beside a device
        self.model = model.to(device).to(memory_format=self.layout).eval()  # type: ignore[call-overload]
        self.device = device
        self.precision = precision
        self.flip = flip
        #: pixels that were too many for the GPU's memory; no stack gets as large again
        self.too_many: float = float("inf")

    @torch.inference_mode()
    def __call__(self, images: Tensor, channels: list[list[int]], what: str) -> list[np.ndarray]:
        """images: uint8 (B, h, w, 3). Returns, per image, float32 (its channels, h', w')."""
        x = _normalise(images.to(self.device, non_blocking=True), self.model.normalization)
        if self.flip:
            x = torch.cat((x, x.flip(-1)))
        cam = self._forward(x.contiguous(memory_format=self.layout), what).relu()
        if self.flip:
            straight, mirrored = cam.chunk(2)
            cam = straight + mirrored.flip(-1)
        rows = [row for row, wanted in enumerate(channels) for _ in wanted]
        columns = [column for wanted in channels for column in wanted]
        kept = cam[rows, columns].cpu().numpy()
        if not np.isfinite(kept).all():
            raise UserError(
                f"{what}: a CAM is not finite in {self.precision}; "
                "try another precision, or see whether the model has diverged"
            )
        return np.split(kept, np.cumsum([len(wanted) for wanted in channels])[:-1])

    def _forward(self, x: Tensor, what: str) -> Tensor:
        """Float32 CAMs of a normalised stack, in as few parts as the GPU's memory allows."""
        pixels = x.shape[-2] * x.shape[-1]
        part = len(x)
        while part > 1 and part * pixels >= self.too_many:
            part = (part + 1) // 2
        while True:
            try:
                return torch.cat([self._cam(piece) for piece in x.split(part)])
            except torch.OutOfMemoryError:
                self.too_many = min(self.too_many, part * pixels)
            if part == 1:
                raise UserError(
                    f"{what}: not even one of {x.shape[-1]} x {x.shape[-2]} pixels fits into the memory of "
                    f"{self.device}; use smaller scales, another precision or the CPU"
                )
            part = (part + 1) // 2
            LOGGER.info("%s: out of GPU memory, going on with %d at a time", what, part)
            torch.cuda.empty_cache()

    def _cam(self, x: Tensor) -> Tensor:
        with torch.autocast(self.device.type, PRECISION[self.precision], enabled=self.precision != "float32"):
            _, cam = self.model.forward_cam(x)
        return cam.float()


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


def _normalise(images: Tensor, normalization: Normalization) -> Tensor:
    """uint8 (B, h, w, 3) RGB -> float32 (B, 3, h, w) as the backbone wants it, on the device of `images`."""
    mean = torch.tensor(normalization.mean, device=images.device)
    std = torch.tensor(normalization.std, device=images.device)
    scaled = (images.float() / 255 - mean) / std
    return (scaled if normalization.order == "rgb" else scaled.flip(-1)).permute(0, 3, 1, 2)


def _named(records: Sequence[Record]) -> str:
    shown = ", ".join(record.id for record in records[:3])
    return shown if len(records) <= 3 else f"{shown} and {len(records) - 3} more"
