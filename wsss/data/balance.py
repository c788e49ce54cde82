"""Samples of an epoch where images without any class outnumber the others: as many of either."""

from typing import Any

import numpy as np
from torch.utils.data import Dataset

from wsss.data.index import Index
from wsss.data.samples import epoch_order


def balanced(samples: Dataset[dict[str, Any]], index: Index, seed: int) -> Dataset[dict[str, Any]]:
    """The samples, where need be with only some of the images without a label in each epoch.

    samples: of all images of the index, by (epoch, position).
    """
    empty = [position for position, record in enumerate(index) if not record.labels]
    return Balanced(samples, len(index), empty, seed) if 2 * len(empty) > len(index) else samples


class Balanced(Dataset[dict[str, Any]]):
    """All images with a label, and in every epoch as many of the others, drawn anew.

    images: number of images; empty: positions of those without a label, more than half. A sample is a pure
    function of (seed, epoch, position), as those of `samples` are.
    """

    def __init__(self, samples: Dataset[dict[str, Any]], images: int, empty: list[int], seed: int) -> None:
        self.samples, self.seed = samples, seed
        self.empty = np.asarray(empty)
        self.labeled = np.setdiff1d(np.arange(images), self.empty)
        self.drawn = -1, self.empty

    def __len__(self) -> int:
        return 2 * len(self.labeled)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, place = key
        if place < len(self.labeled):
            return self.samples[epoch, int(self.labeled[place])]
        if self.drawn[0] != epoch:
            self.drawn = epoch, self.empty[epoch_order(self.seed, epoch, len(self.empty))]
        return self.samples[epoch, int(self.drawn[1][place - len(self.labeled)])]
