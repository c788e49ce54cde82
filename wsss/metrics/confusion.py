"""The confusion matrix of label maps and masks, and its scores."""

import warnings
from typing import Any, Self

import numpy as np

from wsss.metrics.pixels import as_bytes, check_num_classes, check_values


class ConfusionMatrix:
    """Pixel counts `.counts[mask class, predicted class]`, int64 (num_classes, num_classes)."""

    def __init__(self, num_classes: int, counts: np.ndarray | None = None) -> None:
        """num_classes: classes including background, 1..255. counts: start from these instead of zeros."""
        check_num_classes(num_classes)
        self.num_classes = num_classes
        self.counts = np.zeros((num_classes, num_classes), np.int64)
        if counts is not None:
            if counts.shape != self.counts.shape:
                raise ValueError(f"counts must be {self.counts.shape}, got {counts.shape}")
            self.counts += counts

    def update(self, prediction: Any, mask: Any) -> None:
        """Count one image (or any batch of pixels).

        prediction, mask: integer arrays or CPU tensors of one shape; prediction in 0..num_classes-1, mask the
        same or 255. Raises ValueError on other shapes, types or values, and then counts nothing.
        """
        predicted = as_bytes("prediction", prediction)
        true = as_bytes("mask", mask)
        if predicted.shape != true.shape:
            raise ValueError(f"prediction {predicted.shape} and mask {true.shape} must have one shape")
        # 256 columns of both: wrong values are found in the histogram, not by a pass of their own
        codes = np.multiply(true, 256, dtype=np.uint16) + predicted
        table = np.bincount(codes.ravel(), minlength=256 * 256).reshape(256, 256)
        check_values("prediction", table.sum(0), self.num_classes, ignore=False)
        check_values("mask", table.sum(1), self.num_classes, ignore=True)
        self.counts += table[: self.num_classes, : self.num_classes]

    def merge(self, other: Self) -> None:
        """Add the counts of another matrix of the same classes, as made by another process."""
        if other.num_classes != self.num_classes:
            raise ValueError(f"cannot merge matrices of {self.num_classes} and {other.num_classes} classes")
        self.counts += other.counts

    def __add__(self, other: Self) -> Self:
        result = type(self)(self.num_classes, self.counts)
        result.merge(other)
        return result

    @property
    def _true_positives(self) -> np.ndarray:
        return np.diag(self.counts)

    @property
    def _union(self) -> np.ndarray:
        return self.counts.sum(0) + self.counts.sum(1) - self._true_positives

    def iou(self) -> np.ndarray:
        """Intersection over union of each class: (num_classes,) in 0..1, NaN where it never occurs."""
        return _ratio(self._true_positives, self._union)

    def miou(self) -> float:
        """Mean IoU over the classes that occur, background included: a fraction in 0..1."""
        return _mean(self.iou())

    def foreground_miou(self) -> float:
        """Mean IoU over the classes that occur, without background: a fraction in 0..1."""
        return _mean(self.iou()[1:])

    def precision(self) -> np.ndarray:
        """Share of the pixels predicted as a class that are of it: (num_classes,), NaN of none."""
        return _ratio(self._true_positives, self.counts.sum(0))

    def recall(self) -> np.ndarray:
        """Share of the pixels of a class that are predicted as it: (num_classes,), NaN of none."""
        return _ratio(self._true_positives, self.counts.sum(1))

    def fp_rate(self) -> float:
        """Over-activation: false positives of a class by its union, mean over the foreground, 0..1."""
        return _mean(_ratio(self.counts.sum(0) - self._true_positives, self._union)[1:])

    def fn_rate(self) -> float:
        """Under-activation: false negatives of a class by its union, mean over the foreground, 0..1."""
        return _mean(_ratio(self.counts.sum(1) - self._true_positives, self._union)[1:])

    def summary(self) -> dict[str, float]:
        """All scores: miou, foreground_miou, fp_rate, fn_rate, and the foreground's mean
        precision and recall. Fractions in 0..1.
        """
        return {
            "miou": self.miou(),
            "foreground_miou": self.foreground_miou(),
            "fp_rate": self.fp_rate(),
            "fn_rate": self.fn_rate(),
            "precision": _mean(self.precision()[1:]),
            "recall": _mean(self.recall()[1:]),
        }


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where whole is 0."""
    result = np.full(whole.shape, np.nan)
    return np.divide(part, whole, out=result, where=whole > 0)


def _mean(values: np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN when there are none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(np.nanmean(values)) if values.size else float("nan")
