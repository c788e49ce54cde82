"""Region masks on disk: those of one shard in one safetensors file, run-length encoded as COCO does."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pycocotools import mask as coco
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wsss.errors import UserError
from wsss.store.files import atomic

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
    about = {"format": _FORMAT, "digest": digest, "images": json.dumps(sizes, ensure_ascii=False)}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata=about)


class RegionShard:
    """A file of regions; an image's regions are read when asked for, `shard[id]`.

    `.ids` in order of the shard's index, `.digest` of the configuration that made it. Iterating gives all
    images in order.
    """

    def __init__(self, path: str | Path) -> None:
        """Open a shard. Raises UserError when the file is missing, cut or something else."""
        self.path = Path(path)
        try:
            self._file = safe_open(self.path, framework="numpy")
        except FileNotFoundError:
            raise UserError(
                f"{path}: no such file of regions; make it: snakemake --cores all {path}"
            ) from None
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path}: no whole safetensors file ({error}); make it again") from None
        about = self._file.metadata() or {}
        if about.get("format") != _FORMAT:
            raise UserError(f"{path}: holds no regions ({_FORMAT!r}); make it again")
        self.digest: str = about["digest"]
        self._sizes: dict[str, list[int]] = json.loads(about["images"])
        self.ids = tuple(self._sizes)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, image_id: object) -> bool:
        return image_id in self._sizes

    def __getitem__(self, image_id: str) -> Regions:
        """The regions of one image. Raises UserError when the shard has none of it."""
        if image_id not in self._sizes:
            raise UserError(f"{self.path}: no regions of image {image_id}; make the shard again")
        size = self._sizes[image_id]
        runs, lengths, level = (
            self._file.get_tensor(f"{image_id}/{name}") for name in ("runs", "lengths", "level")
        )
        pieces = np.split(runs, np.cumsum(lengths)[:-1]) if len(lengths) else []
        encoded = [{"size": size, "counts": piece.tobytes()} for piece in pieces]
        masks = coco.decode(encoded).transpose(2, 0, 1) if encoded else np.zeros((0, *size), np.uint8)
        return Regions(image_id, np.ascontiguousarray(masks, bool), level)

    def __iter__(self) -> Iterator[Regions]:
        return (self[image_id] for image_id in self.ids)
