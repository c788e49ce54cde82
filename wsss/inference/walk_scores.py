"""What readers make of walked CAMs, which are kept at a quarter of the images' resolution."""

import numpy as np

from wsss.inference.random_walk import full_size
from wsss.store.maps import ScoreMaps

#: the test scale under which a walk's maps stand in their file: images are looked at once
SCALE = 1.0


def walk_scores(maps: ScoreMaps) -> np.ndarray:
    """The scores of an image: float32 (K, H, W) at its resolution, the largest of all classes 1."""
    return full_size(maps.scales[SCALE], maps.size)
