"""Test-time augmentation: the sizes at which an image is looked at, and how its maps become one.

The merge is the published one (Puzzle-CAM, OC-CSE and P-NOC alike). A map at scale s is already
relu(A(image)) + flip(relu(A(flipped image))); scales are brought to one size and summed, and each class is
divided by its own maximum. Maps that came merged are taken as they are.
"""

import math
from collections.abc import Iterable

import cv2
import numpy as np
from PIL import Image

from wsss.store.maps import ScoreMaps

#: stride of the strided map, the resolution of the affinity network
STRIDE = 4
#: full maps are computed at the next multiple of the backbone's stride and cropped, as published
ALIGNMENT = 16
EPSILON = 1e-5


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(H, W) of an image at a test scale: rounded, halves to even (Python's `round`), at least 1."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def rescale(image: Image.Image, scale: float) -> Image.Image:
    """`image` at a test scale, resized by Pillow's bicubic filter (which widens when it shrinks)."""
    height, width = scaled_size((image.height, image.width), scale)
    if (height, width) == (image.height, image.width):
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC)


def strided(maps: ScoreMaps) -> np.ndarray:
    """The map of the random walk: float32 (K, ceil(H / 4), ceil(W / 4)), each class in 0..1."""
    if STRIDE in maps.merged:
        return maps.merged[STRIDE]
    height, width = (math.ceil(side / STRIDE) for side in maps.size)
    return _normalise(_summed(maps.scales.values(), height, width))


def full(maps: ScoreMaps) -> np.ndarray:
    """The map at the image's resolution: float32 (K, H, W), each class in 0..1.

    Resized to (16 ceil(H / 16), 16 ceil(W / 16)), where every cell of the network's grid covers 16 pixels,
    and cropped to the image.
    """
    if 1 in maps.merged:
        return maps.merged[1]
    height, width = (math.ceil(side / ALIGNMENT) * ALIGNMENT for side in maps.size)
    return _normalise(_summed(maps.scales.values(), height, width)[:, : maps.size[0], : maps.size[1]])


def _summed(scales: Iterable[np.ndarray], height: int, width: int) -> np.ndarray:
    """Sum of the maps of all scales, each resized bilinearly (pixel centres aligned, not corners)."""
    arrays = list(scales)
    total = np.zeros((len(arrays[0]), height, width), np.float32)
    for array in arrays:
        for target, channel in zip(total, array, strict=True):
            target += cv2.resize(channel, (width, height), interpolation=cv2.INTER_LINEAR)
    return total


def _normalise(maps: np.ndarray) -> np.ndarray:
    """Each class divided by its own maximum (plus 1e-5: a class that nothing activates stays 0)."""
    return maps / (maps.max((1, 2), keepdims=True, initial=0) + np.float32(EPSILON))
