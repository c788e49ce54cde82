"""Pairs of all directions at once, for GPUs: there a kernel of one direction costs more than its work.

The same values as one direction after the other, in some hundred kernels less per direction and without a
copy from the host: tables of the directions are kept per device.
"""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from wsss.losses.pairs import directions, shifted_views, source_size


class Paths(NamedTuple):
    """The paths of all `directions(radius)`, ordered by their length, on a device.

    points: for each position on a path, the first direction that is so long, and rows and columns (D',) of
    `shifted_views` for it and those behind it. ends: those of the partners (D,). jumps: (D, longest), from
    the source to every point in a flattened map of this width.
    """

    points: tuple[tuple[int, Tensor, Tensor], ...]
    ends: tuple[Tensor, Tensor]
    jumps: Tensor


@cache
def paths(radius: int, width: int, device: torch.device) -> Paths:
    """The tables of a radius for maps of a width."""
    steps = directions(radius)
    longest = len(steps[-1].path)
    points = []
    for position in range(longest):
        first = next(i for i, step in enumerate(steps) if len(step.path) > position)
        points.append((first, *_indices([step.path[position] for step in steps[first:]], radius, device)))
    jumps = [[dy * width + dx for dy, dx in step.path] for step in steps]
    filled = torch.tensor([row + row[-1:] * (longest - len(row)) for row in jumps], device=device)
    return Paths(tuple(points), _indices([(step.dy, step.dx) for step in steps], radius, device), filled)


def strongest(edge: Tensor, radius: int, *, where: bool) -> tuple[Tensor, Tensor | None]:
    """The largest value on the path of every pair, and its position on it: the first of several equal ones.

    edge: (B, h, w). Returns (B, D, h', w'), and the same of uint8, or None unless `where`.
    """
    views, tables = shifted_views(edge, radius), paths(radius, edge.shape[-1], edge.device)
    (_, rows, columns), *others = tables.points
    largest = views[:, rows, columns]
    position = torch.zeros_like(largest, dtype=torch.uint8) if where else None
    for number, (first, rows, columns) in enumerate(others, start=1):
        candidate, so_far = views[:, rows, columns], largest[:, first:]
        if position is not None:
            position[:, first:].masked_fill_(candidate > so_far, number)
        torch.maximum(so_far, candidate, out=so_far)
    return largest, position


def scattered(values: Tensor, position: Tensor, size: tuple[int, int, int], radius: int) -> Tensor:
    """Values of all pairs (B, D, h', w'), added up where the largest ones lie: (B, h, w) = size."""
    _, height, width = size
    jumps = paths(radius, width, values.device).jumps
    numbers = torch.arange(len(jumps), device=values.device) * jumps.shape[1]
    target = jumps.take(position.long().add_(numbers[:, None, None]))
    rows, columns = source_size((height, width), radius)
    source = torch.arange(rows, device=values.device)[:, None] * width + radius - 1
    target.add_(source + torch.arange(columns, device=values.device))
    into = values.new_zeros(len(values), height * width)
    return into.scatter_add_(1, target.flatten(1), values.flatten(1)).view(size)


def kinds(labels: Tensor, radius: int, ignore: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs of background, of one other class, and of different classes: bool (B, D, h', w')."""
    views, (rows, columns) = (
        shifted_views(labels, radius),
        paths(radius, labels.shape[-1], labels.device).ends,
    )
    source, target = views[:, None, 0, radius - 1], views[:, rows, columns]
    same = source == target
    known = source != ignore
    return same & (source == 0), same & (known & (source != 0)), ~same & known & (target != ignore)


def _indices(points: list[tuple[int, int]], radius: int, device: torch.device) -> tuple[Tensor, Tensor]:
    rows = torch.tensor([dy for dy, _ in points], device=device)
    return rows, torch.tensor([dx + radius - 1 for _, dx in points], device=device)
