"""The file format of score maps: the maps of one shard in one safetensors file, as the network computed them.

The format is the same for CAMs and C2AM activations (`wsss.store.cams`) and for walked CAMs
(`wsss.store.walks`), which mean different things: each has its own types, and the maps at other sizes are
methods of these.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

from wsss.errors import UserError
from wsss.store.tensor_shard import TensorShard, write_tensors

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
    write_tensors(path, _FORMAT, digest, entries, tensors)


class MapShard(TensorShard[Maps]):
    """A file of score maps; base of one class per type."""

    form, holds = _FORMAT, "score maps"
    #: type of the maps in the file
    maps: ClassVar[type[ScoreMaps]]

    def _item(self, image_id: str, described: dict[str, Any]) -> Maps:
        (height, width), keys = described["size"], np.array(described["keys"], np.int64)
        scales = {scale: self._tensor(_tensor_name(image_id, scale)) for scale in described["scales"]}
        strides = described.get("merged", ())
        merged = {stride: self._tensor(_merged_name(image_id, stride)) for stride in strides}
        maps: Any = self.maps(image_id, (height, width), keys, scales, merged)
        try:
            maps.check()
        except ValueError as error:
            raise UserError(f"{self.path}: {error}") from None
        checked: Maps = maps
        return checked


def _tensor_name(image_id: str, scale: float) -> str:
    return f"{image_id}@{scale}"


def _merged_name(image_id: str, stride: int) -> str:
    return f"{image_id}/{stride}"
