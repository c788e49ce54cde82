"""Walked CAMs as stored, at a quarter of the image's resolution, and at full resolution."""

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from wsss.store.maps import MapShard, ScoreMaps, strided_size

#: stride of the walk's maps, and the test scale under which their file holds them
STRIDE, SCALE = 4, 1.0

if TYPE_CHECKING:
    from torch import Tensor

Array = TypeVar("Array", np.ndarray, "Tensor")


class WalkMaps(ScoreMaps):
    """The walked CAMs of one image: one scale, float32 (K, ⌈H / 4⌉, ⌈W / 4⌉)."""

    def check(self) -> None:
        super().check()
        wanted = {SCALE: (len(self.keys) - 1, *strided_size(self.size, STRIDE))}
        if {scale: array.shape for scale, array in self.scales.items()} != wanted or self.merged:
            shapes = ", ".join(str(array.shape) for array in (*self.scales.values(), *self.merged.values()))
            raise ValueError(f"{self.id}: its maps are {shapes}, not {wanted[SCALE]}: no walked CAMs")

    def full(self) -> np.ndarray:
        """The scores at the image's resolution: float32 (K, H, W), the largest of all classes 1."""
        return full_size(self.scales[SCALE], self.size)


class WalkShard(MapShard[WalkMaps]):
    """A file of walked CAMs."""

    maps = WalkMaps


def full_size(walk: Array, size: tuple[int, int]) -> Array:
    """Walk maps at the image's size, scaled so that the largest value over all classes is 1.

    walk: (K, ⌈H/4⌉, ⌈W/4⌉); size: (H, W). Upsampled four times bilinearly and cropped. Returns (K, H, W);
    maps that are zero everywhere stay zero.
    """
    # Imported here: torch takes seconds to import, which what only knows this class does not need.
    import torch
    from torch import Tensor
    from torch.nn import functional

    array = walk if isinstance(walk, Tensor) else np.require(walk, np.float32, ["C", "W"])
    maps = torch.as_tensor(array)
    large = maps.new_zeros(len(maps), *size)
    if len(maps):
        (upsampled,) = functional.interpolate(
            maps[None], scale_factor=STRIDE, mode="bilinear", align_corners=False
        )
        large.copy_(upsampled[:, : size[0], : size[1]])
        # The smallest number keeps the quotient of zeros 0.
        large.div_(large.max().clamp(min=torch.finfo(large.dtype).tiny))
    return large if isinstance(walk, Tensor) else large.numpy()
