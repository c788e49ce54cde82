"""Mixing two training samples into one, image and image-level label alike.

A sample is a normalized image, float32 (3, S, S), and its label vector, float32 (C,) in [0, 1]. Mixed labels
are soft. All functions return new arrays.
"""

from collections.abc import Callable
from math import sqrt

import numpy as np

Sample = tuple[np.ndarray, np.ndarray]

#: both parameters of the Beta distribution of the mixing weight: 1 makes it uniform (published)
CONCENTRATION = 1.0


def mixup(first: Sample, second: Sample, rng: np.random.Generator) -> Sample:
    """mixup (Zhang et al., 2018): lambda ~ Beta(1, 1) of the first sample, the rest of the second."""
    kept = np.float32(rng.beta(CONCENTRATION, CONCENTRATION))
    (image, label), (other_image, other_label) = first, second
    return kept * image + (1 - kept) * other_image, kept * label + (1 - kept) * other_label


def cutmix(first: Sample, second: Sample, rng: np.random.Generator) -> Sample:
    """CutMix (Yun et al., 2019): a rectangle of the second image replaces that part of the first.

    The rectangle has the image's aspect and the share 1 - lambda of its area, lambda ~ Beta(1, 1), before it
    is clipped at the border; labels are weighted by the area that was really pasted.
    """
    (image, label), (other_image, other_label) = first, second
    share = sqrt(1 - rng.beta(CONCENTRATION, CONCENTRATION))
    height, width = image.shape[1:]
    top, bottom = _draw_span(rng, height, share)
    left, right = _draw_span(rng, width, share)
    mixed = image.copy()
    mixed[:, top:bottom, left:right] = other_image[:, top:bottom, left:right]
    pasted = np.float32((bottom - top) * (right - left) / (height * width))
    return mixed, (1 - pasted) * label + pasted * other_label


def cut_or_mixup(first: Sample, second: Sample, rng: np.random.Generator) -> Sample:
    """CutMix or mixup, one as often as the other."""
    return (cutmix if rng.random() < 0.5 else mixup)(first, second, rng)


def _draw_span(rng: np.random.Generator, side: int, share: float) -> tuple[int, int]:
    center, half = int(rng.integers(side)), int(side * share) // 2
    return max(center - half, 0), min(center + half, side)


#: what a configuration may name
MIXES: dict[str, Callable[[Sample, Sample, np.random.Generator], Sample]] = {
    "mixup": mixup,
    "cutmix": cutmix,
    "cutormixup": cut_or_mixup,
}
