"""Pixel counts of single images, from which the scores of any selection of images follow.

The file is a CSV with a line per image and class that occurs in its mask or prediction.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from wsss.errors import UserError
from wsss.metrics import ConfusionMatrix
from wsss.store.files import atomic

COLUMNS = ("intersection", "predicted", "mask")


class ImageCounts:
    """By image id, integers (3, ..., classes): pixels of intersection, prediction and mask."""

    def __init__(self, classes: Sequence[str | int]) -> None:
        """classes: names, background first, or numbers."""
        self.classes = tuple(classes)
        self.of_image: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def add(self, image_id: str, counts: np.ndarray) -> None:
        """Add an image. counts: (3, ..., classes). Only the classes that occur are kept."""
        occur = np.flatnonzero(counts.reshape(-1, counts.shape[-1]).any(axis=0))
        self.of_image[image_id] = occur, counts[..., occur].astype(np.int32)

    def add_labels(self, image_id: str, confusion: ConfusionMatrix) -> None:
        """Add an image by its confusion matrix."""
        counts = confusion.counts
        self.add(image_id, np.stack([np.diag(counts), counts.sum(0), counts.sum(1)]))

    def at(self, threshold: int) -> "ImageCounts":
        """The counts at one of several thresholds, where they are (3, thresholds, classes)."""
        chosen = ImageCounts(self.classes)
        chosen.of_image = {
            image_id: (occur, counts[:, threshold]) for image_id, (occur, counts) in self.of_image.items()
        }
        return chosen

    def merge(self, other: "ImageCounts") -> None:
        """Add other images."""
        self.of_image |= other.of_image

    def array(self) -> np.ndarray:
        """int64 (images, 3, classes), in the order of the ids."""
        array = np.zeros((len(self.of_image), 3, len(self.classes)), np.int64)
        for row, image_id in zip(array, sorted(self.of_image), strict=True):
            occur, counts = self.of_image[image_id]
            row[:, occur] = counts
        return array

    def write(self, path: Path) -> None:
        """Write the CSV."""
        with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("image", "class", *COLUMNS))
            writer.writerows(self._lines())

    def _lines(self) -> Iterator[tuple[str | int, ...]]:
        for image_id, (occur, counts) in sorted(self.of_image.items()):
            for class_, values in zip(occur, counts.T.tolist(), strict=True):
                yield (image_id, self.classes[class_], *values)


def read_image_counts(path: Path, classes: Sequence[str]) -> ImageCounts:
    """Read what `ImageCounts.write` wrote. classes: names, background first.

    Raises UserError naming the file where it is none of these, or of other classes.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    arrays: dict[str, np.ndarray] = {}
    try:
        with open(path, newline="", encoding="utf-8") as file:
            for line in csv.DictReader(file):
                counts = arrays.setdefault(line["image"], np.zeros((3, len(classes)), np.int64))
                counts[:, numbers[line["class"]]] = [int(line[column]) for column in COLUMNS]
    except (KeyError, ValueError, OSError) as error:
        raise UserError(f"{path}: not pixel counts of images ({error!r}); make it again") from None
    counted = ImageCounts(classes)
    for image_id, counts in arrays.items():
        counted.add(image_id, counts)
    return counted
