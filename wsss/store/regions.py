"""Region masks on disk: those of one shard in one safetensors file, run-length encoded as COCO does."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pycocotools import mask as coco

from wsss.store.tensor_shard import TensorShard, write_tensors

_FORMAT = "wsss regions 1"


@dataclass(frozen=True)
class Regions:
    """The regions of one image: masks (R, H, W) bool, which may overlap, and level (R,) uint8.

    level: how large a part of an object a region is; of SAM 0 (part of a part) to 2 (whole), else 0.
    """

    id: str
    masks: np.ndarray
    level: np.ndarray


def write_region_shard(path: str | Path, images: Iterable[Regions], *, digest: str) -> None:
    """Write the regions of all `images`, in order, atomically. digest: of the configuration that made them.

    Raises ValueError when an image comes twice or its masks are of another form.
    """
    tensors: dict[str, np.ndarray] = {}
    sizes: dict[str, list[int]] = {}
    for regions in images:
        masks, level = regions.masks, regions.level
        if regions.id in sizes:
            raise ValueError(f"{regions.id}: occurs twice in {path}")
        if masks.dtype != bool or masks.ndim != 3 or level.shape != (len(masks),):
            raise ValueError(f"{regions.id}: masks {masks.shape} of {masks.dtype}, levels {level.shape}")
        encoded = coco.encode(np.asfortranarray(masks.transpose(1, 2, 0), np.uint8)) if len(masks) else []
        counts = [np.frombuffer(run["counts"], np.uint8) for run in encoded]
        sizes[regions.id] = [masks.shape[1], masks.shape[2]]
        tensors[f"{regions.id}/runs"] = np.concatenate([*counts, np.zeros(0, np.uint8)])
        tensors[f"{regions.id}/lengths"] = np.array([len(run) for run in counts], np.int32)
        tensors[f"{regions.id}/level"] = level.astype(np.uint8)
    write_tensors(path, _FORMAT, digest, sizes, tensors)


class RegionShard(TensorShard[Regions]):
    """A file of regions."""

    form, holds = _FORMAT, "regions"

    def _item(self, image_id: str, described: list[int]) -> Regions:
        runs, lengths, level = (self._tensor(f"{image_id}/{name}") for name in ("runs", "lengths", "level"))
        pieces = np.split(runs, np.cumsum(lengths)[:-1]) if len(lengths) else []
        encoded = [{"size": described, "counts": piece.tobytes()} for piece in pieces]
        masks = coco.decode(encoded).transpose(2, 0, 1) if encoded else np.zeros((0, *described), np.uint8)
        return Regions(image_id, np.ascontiguousarray(masks, bool), level)
