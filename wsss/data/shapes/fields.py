"""Geometry as distance fields: arrays (H, W) that are negative inside a form and positive outside.

Distance fields give antialiased coverage, smooth unions, and slopes for shading.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Point = tuple[float, float]


@dataclass(frozen=True)
class Frame:
    """The coordinates of an object, u (forward) and v (down), at every pixel: arrays (H, W).

    scale is in pixels per unit.
    """

    u: np.ndarray
    v: np.ndarray
    scale: float

    def at(self, u: float, v: float) -> "Frame":
        """The same frame with its origin at (u, v)."""
        return Frame(self.u - u, self.v - v, self.scale)


def frame(
    shape: tuple[int, int],
    center: Point,
    scale: float,
    *,
    tilt: float = 0,
    mirrored: bool = False,
    squeeze: float = 1,
) -> Frame:
    """A frame on an image of `shape` (H, W).

    center: (x, y) in pixels. tilt: tan of half the angle, so that the rotation is rational. squeeze: < 1
    foreshortens the object's length.
    """
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float64)
    x = (x + 0.5 - center[0]) / scale
    y = (y + 0.5 - center[1]) / scale
    cosine = (1 - tilt * tilt) / (1 + tilt * tilt)
    sine = 2 * tilt / (1 + tilt * tilt)
    u = (x * cosine + y * sine) / squeeze
    return Frame(-u if mirrored else u, y * cosine - x * sine, scale)


def length(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Euclidean length, rounded exactly (np.hypot is not)."""
    return np.sqrt(u * u + v * v)


def disc(f: Frame, center: Point, radius: float) -> np.ndarray:
    """A disc."""
    return length(f.u - center[0], f.v - center[1]) - radius


def ellipse(f: Frame, center: Point, radii: Point, tilt: float = 0) -> np.ndarray:
    """An ellipse, turned by `tilt` (tan of half the angle); the distance is approximate off its edge."""
    cosine = (1 - tilt * tilt) / (1 + tilt * tilt)
    sine = 2 * tilt / (1 + tilt * tilt)
    u, v = f.u - center[0], f.v - center[1]
    u, v = (u * cosine + v * sine) / radii[0], (v * cosine - u * sine) / radii[1]
    once = length(u, v)
    twice = length(u / radii[0], v / radii[1]) + 1e-9
    return once * (once - 1) / twice


def limb(f: Frame, start: Point, end: Point, thick: float, thin: float) -> np.ndarray:
    """A limb from `start` (radius thick) to `end` (radius thin), round at both ends."""
    du, dv = end[0] - start[0], end[1] - start[1]
    u, v = f.u - start[0], f.v - start[1]
    along = np.clip((u * du + v * dv) / (du * du + dv * dv), 0, 1)
    return length(u - du * along, v - dv * along) - (thick + (thin - thick) * along)


def box(f: Frame, center: Point, half: Point, rounding: float = 0) -> np.ndarray:
    """A box with rounded corners; half: half its width and height."""
    u = np.abs(f.u - center[0]) - half[0] + rounding
    v = np.abs(f.v - center[1]) - half[1] + rounding
    outside = length(np.maximum(u, 0), np.maximum(v, 0))
    return outside + np.minimum(np.maximum(u, v), 0) - rounding


def polygon(f: Frame, corners: Sequence[Point]) -> np.ndarray:
    """A convex polygon, corners clockwise as seen (v points down)."""
    field: np.ndarray | None = None
    for (u0, v0), (u1, v1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        du, dv = u1 - u0, v1 - v0
        norm = float(np.sqrt(du * du + dv * dv))
        side = ((f.u - u0) * dv - (f.v - v0) * du) / norm
        field = side if field is None else np.maximum(field, side)
    assert field is not None
    return field


def union(*fields: np.ndarray, soft: float = 0) -> np.ndarray:
    """The union of forms; with soft > 0 it is smooth over that distance."""
    joined = fields[0]
    for field in fields[1:]:
        if soft > 0:
            near = np.maximum(soft - np.abs(joined - field), 0) / soft
            joined = np.minimum(joined, field) - near * near * (soft / 4)
        else:
            joined = np.minimum(joined, field)
    return joined


def cover(field: np.ndarray, scale: float) -> np.ndarray:
    """The share of each pixel that a form covers, in [0, 1]."""
    return np.clip(0.5 - field * scale, 0, 1)


def light(field: np.ndarray, scale: float, roundness: float, direction: Point) -> np.ndarray:
    """Brightness of a form that is convex towards the viewer, around 1; lit from `direction` (x, y).

    roundness: distance from the edge within which the form is curved.
    """
    depth = np.clip(-field / roundness, 0, 1)
    height = np.sqrt(depth * (2 - depth)) * (roundness * scale)
    slope_x = np.zeros_like(height)
    slope_y = np.zeros_like(height)
    slope_x[:, 1:-1] = (height[:, 2:] - height[:, :-2]) / 2
    slope_y[1:-1] = (height[2:] - height[:-2]) / 2
    facing = (1 - slope_x * direction[0] - slope_y * direction[1]) / np.sqrt(
        1 + slope_x * slope_x + slope_y * slope_y
    )
    return 0.62 + 0.42 * np.clip(facing, -0.4, 1.3)
