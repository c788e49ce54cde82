"""Pairs of pixels of a map: the directions in which partners lie, and views of the map along them.

Every pair of one direction is the same shift, so that a map's partners are a shifted view of it: no list of
pairs is built.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor


@dataclass(frozen=True)
class Direction:
    """A displacement from a pixel to its partner, and the pixels on the line between them.

    path: displacements (dy, dx) from the source, both ends included: the points of the bounding box that are
    nearer than one pixel to the joining line.
    """

    dy: int
    dx: int
    path: tuple[tuple[int, int], ...]


@cache
def directions(radius: int) -> tuple[Direction, ...]:
    """Half of the displacements shorter than `radius`, those to the right and downwards; the others mirror
    them.

    Ordered by the number of pixels on the way, as published: 34 for radius 5, 152 for radius 10.
    """
    if radius < 2:
        raise ValueError(f"radius {radius}: no pair is nearer than that; at least 2 is needed")
    ends = [(0, dx) for dx in range(1, radius)]
    ends += [
        (dy, dx)
        for dy in range(1, radius)
        for dx in range(1 - radius, radius)
        if dy * dy + dx * dx < radius * radius
    ]
    found = [Direction(dy, dx, _line(dy, dx)) for dy, dx in ends]
    return tuple(sorted(found, key=lambda direction: len(direction.path)))


def _line(dy: int, dx: int) -> tuple[tuple[int, int], ...]:
    """The points nearer than one pixel to the line from (0, 0) to (dy, dx), in its bounding box, in order."""
    box = [(y, x) for y in range(dy + 1) for x in range(min(0, dx), max(0, dx) + 1)]
    near = [(y, x) for y, x in box if (dy * x - dx * y) ** 2 < dy * dy + dx * dx]
    return tuple(sorted(near, key=lambda point: abs(point[0]) + abs(point[1])))


def source_size(size: tuple[int, ...] | torch.Size, radius: int) -> tuple[int, int]:
    """Rows and columns of the pixels all of whose partners lie inside a map of this size."""
    height, width = size[0] - (radius - 1), size[1] - 2 * (radius - 1)
    if height < 1 or width < 1:
        least = f"{radius}x{2 * radius - 1}"
        raise ValueError(f"map of {size[0]}x{size[1]} pixels: pairs of radius {radius} need {least} at least")
    return height, width


def shifted_view(grid: Tensor, dy: int, dx: int, radius: int) -> Tensor:
    """View of `grid` (B, h, w) at the pixels (dy, dx) away from the sources."""
    height, width = source_size(grid.shape[-2:], radius)
    return grid[:, dy : dy + height, dx + radius - 1 : dx + radius - 1 + width]


def shifted_views(grid: Tensor, radius: int) -> Tensor:
    """All shifted views of `grid` (B, h, w) in one: (B, radius, 2 radius - 1, h', w'); no copy.

    [:, dy, dx + radius - 1] is `shifted_view(grid, dy, dx, radius)`.
    """
    height, width = source_size(grid.shape[-2:], radius)
    return grid.unfold(1, height, 1).unfold(2, width, 1)
