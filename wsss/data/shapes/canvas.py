"""An image while it is drawn: its pixels, and the object of each pixel."""

from dataclasses import dataclass

import numpy as np

from wsss.data.shapes.fields import Point, frame
from wsss.data.shapes.parts import Figure
from wsss.data.shapes.textures import mix, smooth


@dataclass(frozen=True)
class Window:
    """The part of an image on which something is drawn; the rest need not be computed."""

    rows: slice
    columns: slice

    @classmethod
    def around(cls, shape: tuple[int, int], center: Point, reach: float) -> "Window":
        """The pixels of an image (H, W) within `reach` of `center` (x, y) both ways, at least one."""
        left, right = _range(center[0], reach, shape[1])
        top, bottom = _range(center[1], reach, shape[0])
        return cls(slice(top, bottom), slice(left, right))

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)"""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def local(self, point: Point) -> Point:
        """A point of the image in the window's own coordinates."""
        return point[0] - self.columns.start, point[1] - self.rows.start


def _range(center: float, reach: float, side: int) -> tuple[int, int]:
    first = min(max(int(center - reach), 0), side - 1)
    return first, max(min(int(center + reach) + 1, side), first + 1)


class Canvas:
    """pixels: float64 (H, W, 3). owner: int64 (H, W), n at the pixels of names[n - 1], else 0."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels.copy()
        self.owner: np.ndarray = np.zeros(pixels.shape[:2], np.int64)
        self.names: list[str] = []
        self._whole: list[int] = []

    def leaves(self, window: Window, share: np.ndarray, least: float) -> bool:
        """Whether every object stays visible by at least `least` of its pixels behind a coverage `share`."""
        behind = self.owner[window.rows, window.columns][share > 0.5]
        hidden = np.bincount(behind, minlength=len(self.names) + 1)
        seen = np.bincount(self.owner.ravel(), minlength=len(self.names) + 1)
        return all(seen[n] - hidden[n] >= least * whole for n, whole in enumerate(self._whole, 1))

    def shade(self, center: Point, scale: float) -> None:
        """Darken the ground under an object."""
        f = frame(self.owner.shape, (center[0], center[1] + 0.56 * scale), scale)
        distance = f.u * f.u + 12 * f.v * f.v
        self.pixels = self.pixels * (1 - 0.25 * smooth(distance, 1.0, 0.1))[..., None]

    def add(self, window: Window, figure: Figure, name: str | None) -> None:
        """Draw a figure; with a name it is an object, without one an occluder."""
        solid = figure.cover > 0.5
        part = self.pixels[window.rows, window.columns]
        self.pixels[window.rows, window.columns] = mix(part, figure.color, figure.cover)
        number = 0
        if name is not None:
            self.names.append(name)
            self._whole.append(int(solid.sum()))
            number = len(self.names)
        self.owner[window.rows, window.columns][solid] = number
