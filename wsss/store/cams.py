"""CAMs and C2AM activations as stored, and as their readers need them: at stride 4 and at full resolution.

A CAM says little more at full resolution than at stride 16, where it takes a fortieth of the space: maps at
other sizes are computed on reading. The merge of the scales is the published one (Puzzle-CAM, OC-CSE and
P-NOC alike). A map at scale s is already relu(A(image)) + flip(relu(A(flipped image))); scales are resized to
one size and summed, and each class is divided by its own maximum. Released CAMs come merged and are kept as
they are.
"""

import math
from collections.abc import Iterable

import cv2
import numpy as np

from wsss.store.maps import MapShard, ScoreMaps, strided_size

#: stride of the strided map, the resolution of the affinity network
STRIDE = 4
#: full maps are computed at the next multiple of the backbone's stride and cropped, as published
ALIGNMENT = 16
EPSILON = 1e-5


class CamMaps(ScoreMaps):
    """The CAMs of one image, a map per labeled class."""

    def check(self) -> None:
        super().check()
        if _are_walked(self):
            raise ValueError(f"{self.id}: its maps have a quarter of the image's resolution: walked CAMs")

    def strided(self) -> np.ndarray:
        """The input of the random walk: float32 (K, ⌈H / 4⌉, ⌈W / 4⌉), each class in 0..1."""
        if STRIDE in self.merged:
            return self.merged[STRIDE]
        return _normalized(_summed(self.scales.values(), *strided_size(self.size, STRIDE)))

    def full(self) -> np.ndarray:
        """The maps at the image's resolution: float32 (K, H, W), each class in 0..1."""
        return self.merged[1] if 1 in self.merged else _full(self)


class ActivationMaps(ScoreMaps):
    """The activation of C2AM for one image: one map of what is object, keys [0, 1]."""

    def check(self) -> None:
        super().check()
        if self.keys.tolist() != [0, 1] or self.merged or _are_walked(self):
            raise ValueError(
                f"{self.id}: holds maps of classes {self.keys[1:].tolist()}, not C2AM's activation"
            )

    def full(self) -> np.ndarray:
        """The saliency at the image's resolution: float32 (H, W) in 0..1."""
        saliency: np.ndarray = _full(self)[0]
        return saliency


class CamShard(MapShard[CamMaps]):
    """A file of CAMs."""

    maps = CamMaps


class ActivationShard(MapShard[ActivationMaps]):
    """A file of C2AM activations."""

    maps = ActivationMaps


def _are_walked(maps: ScoreMaps) -> bool:
    """Whether maps are at a quarter of the image's resolution, which no network here computes."""
    quarter, eighth = strided_size(maps.size, 4), strided_size(maps.size, 8)
    return [array.shape[1:] for array in maps.scales.values()] == [quarter] and quarter != eighth


def _full(maps: ScoreMaps) -> np.ndarray:
    """Maps at (16 ⌈H / 16⌉, 16 ⌈W / 16⌉), where a cell of the network's grid covers 16 pixels, cropped."""
    height, width = (math.ceil(side / ALIGNMENT) * ALIGNMENT for side in maps.size)
    return _normalized(_summed(maps.scales.values(), height, width)[:, : maps.size[0], : maps.size[1]])


def _summed(scales: Iterable[np.ndarray], height: int, width: int) -> np.ndarray:
    """Sum of the maps of all scales, each resized bilinearly (pixel centers aligned, not corners)."""
    arrays = list(scales)
    total = np.zeros((len(arrays[0]), height, width), np.float32)
    for array in arrays:
        for target, channel in zip(total, array, strict=True):
            target += cv2.resize(channel, (width, height), interpolation=cv2.INTER_LINEAR)
    return total


def _normalized(maps: np.ndarray) -> np.ndarray:
    """Each class divided by its own maximum (plus 1e-5: a class that nothing activates stays 0)."""
    return maps / (maps.max((1, 2), keepdims=True, initial=0) + np.float32(EPSILON))
