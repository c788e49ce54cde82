"""The scores of salient object detection: MAE and F-measure of saliency maps against masks."""

from typing import Any, Self

import numpy as np

from wsss.metrics.pixels import as_bytes, check_values

#: β² of the F-measure: precision counts more than recall (Achanta et al., CVPR 2009)
BETA_SQUARED = 0.3
_LEVELS = 256


class SaliencyScore:
    """MAE and F-measure over images of equal weight.

    MAE: mean over an image's pixels of |saliency - mask|, then over the images. F-measure: pixels
    are salient from each of the levels 0..255 on; precision P and recall R are means over the images, and
    F = (1 + β²)·P·R / (β²·P + R) with β² = 0.3. The greatest F of all levels is reported. A level above all
    values has precision 0; an image without an object has no recall and does not count in F.
    """

    def __init__(self) -> None:
        self.images = self.images_with_object = 0
        self._error = 0.0
        self._precision, self._recall = np.zeros(_LEVELS), np.zeros(_LEVELS)

    def update(self, saliency: Any, mask: Any) -> None:
        """Count one image.

        saliency: uint8 (H, W), 255 salient. mask: uint8 (H, W), 0, 1 (object) or 255 (not counted). Raises
        ValueError on other shapes, types or values. An image of ignored pixels only does not count.
        """
        values, true = as_bytes("saliency", saliency), as_bytes("mask", mask)
        if values.shape != true.shape:
            raise ValueError(f"saliency {values.shape} and mask {true.shape} must have one shape")
        codes = true.astype(np.intp) * _LEVELS + values
        table = np.bincount(codes.ravel(), minlength=_LEVELS * _LEVELS).reshape(_LEVELS, _LEVELS)
        check_values("mask", table.sum(1), 2, ignore=True)
        background, objects = table[:2].astype(np.float64)
        pixels = background.sum() + objects.sum()
        if not pixels:
            return
        levels = np.arange(_LEVELS) / (_LEVELS - 1)
        self._error += float((background @ levels + objects @ (1 - levels)) / pixels)
        self.images += 1
        if not objects.sum():
            return
        self.images_with_object += 1
        right, wrong = (counts[::-1].cumsum()[::-1] for counts in (objects, background))
        self._precision += right / np.maximum(right + wrong, 1)
        self._recall += right / objects.sum()

    def merge(self, other: Self) -> None:
        """Add the images of another score, as made by another process."""
        self.images += other.images
        self.images_with_object += other.images_with_object
        self._error += other._error
        self._precision += other._precision
        self._recall += other._recall

    def mae(self) -> float:
        """Mean absolute error, 0 (best) to 1; NaN before the first image."""
        return self._error / self.images if self.images else float("nan")

    def f_measure(self) -> float:
        """The greatest F-measure of all levels, 0 to 1; NaN before the first image that shows an object."""
        if not self.images_with_object:
            return float("nan")
        precision = self._precision / self.images_with_object
        recall = self._recall / self.images_with_object
        whole = np.maximum(BETA_SQUARED * precision + recall, np.finfo(np.float64).tiny)
        return float(((1 + BETA_SQUARED) * precision * recall / whole).max())
