"""How sure a difference of two mIoU is: a paired bootstrap over the images and the seeds."""

from collections.abc import Sequence

import numpy as np

SAMPLES = 2000
LEVEL = 0.95


def difference_interval(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], *, samples: int = SAMPLES, level: float = LEVEL
) -> tuple[float, float]:
    """The interval that holds the mIoU of the second minus that of the first, fractions in -1..1.

    first, second: per seed, pixel counts of each image: integers (images, 3, classes) of intersection,
    prediction and mask, all of the same images in the same order. A sample draws images, the same for both,
    and seeds, of each by itself, with replacement; its mIoU are computed from summed counts, as is a score of
    all images, and averaged over the seeds. The interval holds the middle `level` of the samples (percentile
    bootstrap, Efron and Tibshirani 1993, chapter 13). With one seed it is that of the images alone.

    Raises ValueError where the counts are not of the same images.
    """
    shapes = {counts.shape for counts in (*first, *second)}
    if len(shapes) != 1 or not (images := next(iter(shapes))[0]):
        raise ValueError(f"counts must be of the same images and classes, got shapes {sorted(shapes)}")
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(images, np.full(images, 1 / images), size=samples).astype(np.float64)
    differences = _mean_over_seeds(second, drawn, generator) - _mean_over_seeds(first, drawn, generator)
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _mean_over_seeds(
    counts: Sequence[np.ndarray], drawn: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """(samples,): the mean mIoU of seeds that are drawn with replacement."""
    mious = np.stack([_mious(of_seed, drawn) for of_seed in counts])
    seeds = generator.integers(len(counts), size=(len(counts), len(drawn)))
    means: np.ndarray = np.take_along_axis(mious, seeds, axis=0).mean(axis=0)
    return means


def _mious(counts: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """(samples,): mIoU over the classes that occur in the drawn images. drawn: how often each image is."""
    sums = (drawn @ counts.reshape(len(counts), -1)).reshape(len(drawn), *counts.shape[1:])
    intersection, predicted, mask = sums.transpose(1, 0, 2)
    union = predicted + mask - intersection
    occurs = union > 0
    iou = np.divide(intersection, union, out=np.zeros_like(union), where=occurs)
    mious: np.ndarray = iou.sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)
    return mious
