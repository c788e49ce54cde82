"""The file format of score maps: the maps of one shard in one safetensors file, as the network computed them.

The format is the same for CAMs and C2AM activations (`wsss.store.cams`) and for walked CAMs
(`wsss.store.walks`), which mean different things: each has its own types, and the maps at other sizes are
methods of these. Safetensors holds no pickle, and one image's tensors are read without the others'.
"""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wsss.errors import UserError
from wsss.store.files import atomic

_FORMAT = "wsss score maps 1"


@dataclass(frozen=True)
class ScoreMaps:
    """The maps of one image; base of the types that say which maps they are.

    size: (H, W) of the image. keys: int64 (K + 1,), 0 for background and then the mask value of each map,
    ascending. scales: for each test scale, float32 (K, h, w), not negative, not normalized. An image without
    labels has K = 0. merged: by stride, maps whose scales were merged elsewhere, float32 (K, ceil(H /
    stride), ceil(W / stride)) in 0..1; they take precedence over `scales`.
    """

    id: str
    size: tuple[int, int]
    keys: np.ndarray
    scales: dict[float, np.ndarray]
    merged: dict[int, np.ndarray] = field(default_factory=dict)

    def check(self) -> None:
        """Raise ValueError when shapes do not match the keys, or the maps are of another type."""
        keys = self.keys.tolist()
        if keys[:1] != [0] or sorted(set(keys)) != keys:
            raise ValueError(f"{self.id}: keys must be 0 and then ascending classes, got {keys}")
        for scale, array in self.scales.items():
            if array.ndim != 3 or len(array) != len(keys) - 1:
                raise ValueError(
                    f"{self.id}: maps at scale {scale} are {array.shape}, not ({len(keys) - 1}, h, w)"
                )
        for stride, array in self.merged.items():
            if array.shape != (wanted := (len(keys) - 1, *strided_size(self.size, stride))):
                raise ValueError(f"{self.id}: maps of stride {stride} are {array.shape}, not {wanted}")


Maps = TypeVar("Maps", bound=ScoreMaps)


def strided_size(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """(⌈H / stride⌉, ⌈W / stride⌉)."""
    return math.ceil(size[0] / stride), math.ceil(size[1] / stride)


def write_shard(path: str | Path, images: Iterable[ScoreMaps], *, digest: str) -> None:
    """Write the maps of all `images`, in order, atomically. digest: of the configuration that made them.

    Raises ValueError when an image comes twice or has maps that do not fit its keys.
    """
    tensors: dict[str, np.ndarray] = {}
    entries: dict[str, dict[str, Any]] = {}
    for maps in images:
        if maps.id in entries:
            raise ValueError(f"{maps.id}: occurs twice in {path}")
        maps.check()
        entries[maps.id] = {"size": list(maps.size), "keys": maps.keys.tolist(), "scales": list(maps.scales)}
        if maps.merged:
            entries[maps.id]["merged"] = list(maps.merged)
        named = {_tensor_name(maps.id, scale): array for scale, array in maps.scales.items()}
        named |= {_merged_name(maps.id, stride): array for stride, array in maps.merged.items()}
        tensors |= {name: np.ascontiguousarray(array, np.float32) for name, array in named.items()}
    metadata = {
        "format": _FORMAT,
        "digest": digest,
        "images": json.dumps(entries, ensure_ascii=False, separators=(",", ":")),
    }
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


class MapShard(Generic[Maps]):
    """A file of score maps; an image's maps are read when asked for, `shard[id]`. Base of one class per type.

    `.ids` in order of the shard's index, `.digest` of the configuration that made it. Iterating gives all
    images in order. Can be sent to another process, which opens the file anew.
    """

    #: type of the maps in the file
    maps: ClassVar[type[ScoreMaps]]

    def __init__(self, path: str | Path) -> None:
        """Open a shard. Raises UserError when the file is missing, cut or something else."""
        self.path = Path(path)
        try:
            self._file = safe_open(self.path, framework="numpy")
        except FileNotFoundError:
            raise UserError(
                f"{path}: no such file of score maps; make it: snakemake --cores all {path}"
            ) from None
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path}: no whole safetensors file ({error}); make it again") from None
        metadata = self._file.metadata() or {}
        if metadata.get("format") != _FORMAT:
            raise UserError(
                f"{path}: a safetensors file, but not one of score maps ({_FORMAT!r}); make it: "
                f"snakemake --cores all --force {path}"
            )
        self.digest: str = metadata["digest"]
        self._entries: dict[str, dict[str, Any]] = json.loads(metadata["images"])
        self.ids = tuple(self._entries)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, image_id: object) -> bool:
        return image_id in self._entries

    def __getitem__(self, image_id: str) -> Maps:
        """The maps of one image.

        Raises UserError when the shard has none of it, or they are no maps of this shard's type.
        """
        if image_id not in self._entries:
            raise UserError(
                f"{self.path}: no maps of image {image_id} among its {len(self)} images; make the shard again"
            )
        entry = self._entries[image_id]
        maps: Any = self.maps(
            id=image_id,
            size=(entry["size"][0], entry["size"][1]),
            keys=np.array(entry["keys"], np.int64),
            scales={scale: self._file.get_tensor(_tensor_name(image_id, scale)) for scale in entry["scales"]},
            merged={
                stride: self._file.get_tensor(_merged_name(image_id, stride))
                for stride in entry.get("merged", ())
            },
        )
        try:
            maps.check()
        except ValueError as error:
            raise UserError(f"{self.path}: {error}") from None
        checked: Maps = maps
        return checked

    def __iter__(self) -> Iterator[Maps]:
        return (self[image_id] for image_id in self.ids)

    def __reduce__(self) -> tuple[type["MapShard[Maps]"], tuple[Path]]:
        return type(self), (self.path,)


def _tensor_name(image_id: str, scale: float) -> str:
    return f"{image_id}@{scale}"


def _merged_name(image_id: str, stride: int) -> str:
    return f"{image_id}/{stride}"
