"""Random numbers that are equal on all machines and with all versions of NumPy.

Only the raw integers of the bit generator are used, which NumPy keeps stable, unlike its distributions.
Together with arithmetic that IEEE 754 rounds exactly (+ - * / and square roots, each element on its own, no
sums whose order a processor may choose) this makes every pixel of `shapes` reproducible.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Draws:
    """A stream of random numbers that depends on its key only, a few non-negative integers."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def table(self, *shape: int) -> np.ndarray:
        """float64 of this shape, uniform in [0, 1)."""
        count = 1
        for side in shape:
            count *= side
        raw = self._bits.random_raw(count) >> np.uint64(11)
        return (raw.astype(np.float64) * 2.0**-53).reshape(shape)

    def between(self, low: float, high: float) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * float(self.table(1)[0])

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.between(0, 1) < probability

    def whole(self, low: int, high: int) -> int:
        """One of the integers low..high, both included."""
        return low + min(int(self.between(0, high - low + 1)), high - low)

    def pick(self, items: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of the items, by weight if weights are given (they need not sum to 1)."""
        weights = weights or [1.0] * len(items)
        total = 0.0
        for weight in weights:  # not sum(): Python 3.12 rounds it differently
            total += weight
        left = self.between(0, 1) * total
        for item, weight in zip(items, weights, strict=True):
            left -= weight
            if left < 0:
                return item
        return items[-1]
