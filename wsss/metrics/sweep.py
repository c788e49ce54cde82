"""Score maps against masks at every background threshold, in one pass over each image."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from wsss.metrics.confusion import ConfusionMatrix
from wsss.metrics.pixels import as_bytes, check_num_classes, check_values

#: a bin's code of the buckets that hold a threshold
_HOLDS_THRESHOLD = 0x4000
#: a bin's code of the buckets that hold infinities and NaN
_NOT_FINITE = 0x8000


class ThresholdSweep:
    """Confusion matrices of score maps at every threshold, from one histogram per image.

    At threshold θ a pixel's label is `keys[argmax([θ, scores])]`: background where no score exceeds θ (it
    wins ties), else the class with the highest score (the first of equal ones). Neither that class nor its
    score depends on θ, so counting (mask class, best class, number of thresholds below its score) once is
    enough; sums along the last axis are the counts at each θ.
    """

    def __init__(self, num_classes: int, thresholds: Sequence[float] | np.ndarray) -> None:
        """num_classes: classes including background, 1..255. thresholds: at least one finite number."""
        check_num_classes(num_classes)
        self.num_classes = num_classes
        self.thresholds = np.array(thresholds, np.float64).reshape(-1) + 0.0  # + 0.0: no negative zero
        if not 0 < self.thresholds.size < _HOLDS_THRESHOLD or not np.isfinite(self.thresholds).all():
            raise ValueError(
                f"thresholds must be 1 to {_HOLDS_THRESHOLD - 1} finite numbers, got {thresholds}"
            )
        self._ascending = np.sort(self.thresholds)
        self._lookup = _bin_of_bucket(self._ascending.astype(np.float32))
        #: [mask class, best class, thresholds below its score]
        self._counts = np.zeros((num_classes, num_classes, self.thresholds.size + 1), np.int64)

    def update(self, scores: Any, keys: Any, mask: Any) -> np.ndarray:
        """Count one image; return the pixels of each class at each threshold.

        Returns int64 (3, thresholds, num_classes): intersection, prediction, mask.

        scores: float (K, H, W), array or CPU tensor, compared with the thresholds in its own precision.
        keys: K + 1 class numbers, 0 (background) first, then the class of each map, no class twice. K = 0 is
        an image that is all background. mask: integers (H, W), 0..num_classes-1 or 255 (not counted).
        Raises ValueError on other shapes, types or values, and then counts nothing.
        """
        maps = np.asarray(scores)
        true = as_bytes("mask", mask)
        classes = [int(key) for key in keys]
        if maps.dtype not in (np.float32, np.float64):
            maps = maps.astype(np.float32)
        if maps.ndim != 3 or maps.shape[1:] != true.shape:
            raise ValueError(f"scores {maps.shape} must be (K, H, W) with the mask's size {true.shape}")
        _check_keys(classes, len(maps), self.num_classes)
        if len(maps) == 0:
            row = np.bincount(true.ravel(), minlength=256)
            check_values("mask", row, self.num_classes, ignore=True)
            self._counts[:, 0, 0] += row[: self.num_classes]
            return self._pixels(row[: self.num_classes, None, None], [0])

        winner, best = _winners(maps)
        bins = self._bins(best)
        width = self.thresholds.size + 1
        columns = len(maps) * width
        codes = true.astype(np.intp)  # bincount counts in this type; any other is copied into it first
        codes *= columns
        codes += bins
        if winner is not None:
            codes += np.multiply(winner, width, dtype=np.intp)
        table = np.bincount(codes.ravel(), minlength=256 * columns).reshape(256, len(maps), width)
        check_values("mask", table.sum((1, 2)), self.num_classes, ignore=True)
        self._counts[:, classes[1:], :] += table[: self.num_classes]
        return self._pixels(table[: self.num_classes], classes[1:])

    def _pixels(self, table: np.ndarray, classes: Sequence[int]) -> np.ndarray:
        """See `update`. table: (mask class, position of the best class in `classes`, thresholds below)."""
        positions = np.searchsorted(self._ascending, self.thresholds) + 1
        width = self.thresholds.size + 1
        counts = np.zeros((*table.shape[:2], width), np.int64)
        counts[:, :, : table.shape[2]] = table
        # [:, :, i]: pixels whose score lies above `thresholds[i]`
        above = np.flip(np.cumsum(np.flip(counts, 2), 2), 2)[:, :, positions]
        pixels = np.zeros((3, self.thresholds.size, self.num_classes), np.int64)
        for position, class_ in enumerate(classes):
            pixels[0, :, class_] = above[class_, position]
            pixels[1, :, class_] = above[:, position].sum(0)
        total = counts.sum((1, 2))
        pixels[0, :, 0] += total[0] - above[0].sum(0)
        pixels[1, :, 0] += total.sum() - above.sum((0, 1))
        pixels[2] = total
        return pixels

    def _bins(self, best: np.ndarray) -> np.ndarray:
        """How many thresholds lie below each score: uint16 (H, W).

        A binary search per pixel would dominate the time. The upper half of a float32's bits is a
        bucket of numbers between the same two thresholds, but for the few buckets that hold a threshold.
        """
        with np.errstate(over="ignore"):  # of a float64, which is compared below
            single = np.ascontiguousarray(best, np.float32)
        bins = self._lookup[(single.view(np.uint32) >> 16).astype(np.intp)]
        if bins.max(initial=0) >= _HOLDS_THRESHOLD:
            if (bins == _NOT_FINITE).any() and not np.isfinite(best).all():
                raise ValueError("scores must be finite, got NaN or infinity")
            inside = np.nonzero(bins >= _HOLDS_THRESHOLD)
            bins[inside] = np.searchsorted(self._ascending.astype(best.dtype), best[inside], side="left")
        return bins

    def merge(self, other: Self) -> None:
        """Add the counts of another sweep of the same classes and thresholds."""
        if other.num_classes != self.num_classes or not np.array_equal(other.thresholds, self.thresholds):
            raise ValueError("cannot merge sweeps of different classes or thresholds")
        self._counts += other._counts

    def __add__(self, other: Self) -> Self:
        result = type(self)(self.num_classes, self.thresholds)
        result.merge(self)
        result.merge(other)
        return result

    def confusion(self, i: int) -> ConfusionMatrix:
        """The confusion matrix at `thresholds[i]`."""
        below = int(np.searchsorted(self._ascending, self.thresholds[i])) + 1
        counts = self._counts[:, :, below:].sum(2)
        counts[:, 0] += self._counts[:, :, :below].sum((1, 2))
        return ConfusionMatrix(self.num_classes, counts)

    def miou(self) -> np.ndarray:
        """Mean IoU (background included) at each threshold: float64 (thresholds,), fractions in 0..1."""
        return np.array([self.confusion(i).miou() for i in range(self.thresholds.size)])

    def best(self) -> int:
        """Position in `thresholds` of the highest mIoU, the first of equal ones.

        Raises ValueError before any pixel has been counted.
        """
        miou = self.miou()
        if np.isnan(miou).all():
            raise ValueError("no pixel has been counted")
        return int(np.nanargmax(miou))

    def curve(self) -> list[dict[str, float]]:
        """One row per threshold: `threshold` and what `ConfusionMatrix.summary` says there."""
        return [
            {"threshold": float(threshold)} | self.confusion(i).summary()
            for i, threshold in enumerate(self.thresholds)
        ]


def _bin_of_bucket(thresholds: np.ndarray) -> np.ndarray:
    """uint16 (65536,): for each upper half of a float32, how many ascending `thresholds` lie below it."""
    buckets = np.arange(1 << 16, dtype=np.uint32) << 16
    with np.errstate(invalid="ignore"):
        table = np.searchsorted(thresholds, buckets.view(np.float32), side="left").astype(np.uint16)
    table[thresholds.view(np.uint32) >> 16] = _HOLDS_THRESHOLD
    table[(buckets & 0x7F800000) == 0x7F800000] = _NOT_FINITE
    return table


def _winners(maps: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Position (uint8 (H, W); None for a single map) and value of the highest map, the first of equal ones.

    Map by map because numpy's argmax along the first axis is many times slower.
    """
    best = maps[0]
    if len(maps) == 1:
        return None, best
    winner = np.zeros(best.shape, np.uint8)
    for position, scores in enumerate(maps[1:], start=1):
        # winner = position where scores > best, as arithmetic on bytes: positions only grow
        np.maximum(winner, (scores > best).view(np.uint8) * np.uint8(position), out=winner)
        best = np.maximum(best, scores)
    return winner, best


def _check_keys(keys: list[int], maps: int, num_classes: int) -> None:
    foreground = keys[1:]
    if (
        keys[:1] != [0]
        or len(foreground) != maps
        or len(set(foreground)) != maps
        or not all(0 < key < num_classes for key in foreground)
    ):
        raise ValueError(
            f"keys must be 0 and {maps} different classes of 1..{num_classes - 1}, one per map, got {keys}"
        )
