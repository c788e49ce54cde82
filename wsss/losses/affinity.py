"""Pairwise affinities from an edge map, and the loss by which the edge map is trained.

The affinity of two pixels is one minus the strongest edge on the line between them (Ahn, Cho and Kwak,
"Weakly supervised learning of instance segmentation with inter-pixel relations", CVPR 2019: IRNet). All pairs
of a direction have the same shift, so the maximum over their lines is a running maximum over shifted views of
the map: no list of pairs is built, and the map is not copied for each direction.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_EPSILON = 1e-5


@dataclass(frozen=True)
class Direction:
    """A displacement from a pixel to its partner, and the pixels on the line between them.

    path: displacements (dy, dx) from the source, both ends included: the points of the bounding box that are
    nearer than one pixel to the joining line.
    """

    dy: int
    dx: int
    path: tuple[tuple[int, int], ...]


class PairLabels(NamedTuple):
    """The kind of every pair: three boolean tensors (B, directions, h', w'), of which at most one is true.

    A pair with an ignored pixel has no kind.
    """

    background: Tensor
    foreground: Tensor
    different: Tensor

    def counts(self) -> Tensor:
        """Number of pairs of each kind: float (3,)."""
        return torch.stack([kind.count_nonzero() for kind in self]).float()


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


def pair_affinities(edge: Tensor, radius: int) -> Tensor:
    """Affinity of every pixel with its partners nearer than `radius`.

    edge: (B, 1, h, w), values in [0, 1], 1 = a boundary.
    Returns (B, directions, h', w') in [0, 1] with h' = h - radius + 1 and w' = w - 2 (radius - 1): the pixels
    whose partners in all `directions(radius)` lie inside the map; source (0, 0) is the map's pixel
    (0, radius - 1). Differentiable once; where several pixels of a line share the maximum, the one nearest to
    the source gets the gradient. Half precision becomes single. Raises ValueError for another shape or a map
    too small to hold a pair.
    """
    if edge.ndim != 4 or edge.shape[1] != 1:
        raise ValueError(f"edge map of shape {tuple(edge.shape)}: (B, 1, h, w) is needed")
    _sources(edge.shape[-2:], radius)
    if edge.dtype in (torch.half, torch.bfloat16):
        edge = edge.float()
    affinities: Tensor = _PathAffinity.apply(edge[:, 0], radius)
    return affinities


def pair_labels(labels: Tensor, radius: int, *, ignore: int = 255) -> PairLabels:
    """Compare the labels of the two pixels of every pair.

    labels: (B, h, w) integers, 0 = background, `ignore` = unknown.
    Pairs are in the order of `pair_affinities` of an edge map of the same size.
    """
    if labels.ndim != 3:
        raise ValueError(f"label map of shape {tuple(labels.shape)}: (B, h, w) is needed")
    height, width = _sources(labels.shape[-2:], radius)
    steps = directions(radius)
    source = _shifted(labels, 0, 0, radius)
    shape = (len(labels), len(steps), height, width)
    pairs = PairLabels(*(torch.empty(shape, dtype=torch.bool, device=labels.device) for _ in range(3)))
    known = source != ignore
    for i, step in enumerate(steps):
        target = _shifted(labels, step.dy, step.dx, radius)
        same = source == target
        torch.logical_and(same, source == 0, out=pairs.background[:, i])
        torch.logical_and(same, known & (source != 0), out=pairs.foreground[:, i])
        torch.logical_and(~same, known & (target != ignore), out=pairs.different[:, i])
    return pairs


def affinity_loss(affinities: Tensor, pairs: PairLabels, counts: Tensor | None = None) -> Tensor:
    """Cross-entropy of the affinities, balanced over the three kinds of pairs (IRNet, its boundary loss).

    affinities: (B, directions, h', w') of `pair_affinities`; pairs: `pair_labels` of the same size and
    radius. counts: pairs of each kind, (3,), that the means are taken over, where `pairs` are part of a
    batch.
    Mean over the background pairs and mean over the foreground pairs count a quarter each, the mean over
    pairs of different classes a half. A kind that does not occur counts 0. Returns a scalar.
    """
    if affinities.shape != pairs.different.shape:
        found = f"affinities {tuple(affinities.shape)} and pair labels {tuple(pairs.different.shape)}"
        raise ValueError(f"{found}: sizes must agree")
    counts = pairs.counts() if counts is None else counts
    loss: Tensor = _BalancedCrossEntropy.apply(affinities, counts, *pairs)
    return loss


class _PathAffinity(torch.autograd.Function):
    """One minus the maximum along every line. Keeps one byte per pair, the position of the maximum."""

    @staticmethod
    def forward(ctx: Any, edge: Tensor, radius: int) -> Tensor:
        steps = directions(radius)
        height, width = _sources(edge.shape[-2:], radius)
        shape = (len(edge), len(steps), height, width)
        affinities = edge.new_empty(shape)
        position = edge.new_empty(shape, dtype=torch.uint8) if ctx.needs_input_grad[0] else None
        # buffers of one direction stay in the cache; floats, because comparing into booleans is slow
        strongest, higher, where = (edge.new_empty(shape[0], height, width) for _ in range(3))
        for i, step in enumerate(steps):
            strongest.copy_(_shifted(edge, *step.path[0], radius))
            where.zero_()
            for p, (dy, dx) in enumerate(step.path[1:], start=1):
                candidate = _shifted(edge, dy, dx, radius)
                if position is not None:
                    torch.gt(candidate, strongest, out=higher)
                    torch.maximum(where, higher.mul_(p), out=where)
                torch.maximum(strongest, candidate, out=strongest)
            torch.sub(1, strongest, out=affinities[:, i])
            if position is not None:
                position[:, i] = where
        if position is not None:
            ctx.save_for_backward(position)
        ctx.radius, ctx.shape = radius, edge.shape
        return affinities

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (position,) = ctx.saved_tensors
        size, radius = ctx.shape, ctx.radius
        grid = torch.arange(math.prod(size), device=gradient.device).view(size)
        source = _shifted(grid, 0, 0, radius).flatten()
        into = gradient.new_zeros(math.prod(size))
        for i, step in enumerate(directions(radius)):
            jumps = torch.tensor([dy * size[-1] + dx for dy, dx in step.path], device=gradient.device)
            jump = jumps.index_select(0, position[:, i].flatten().int())
            into.scatter_add_(0, jump.add_(source), gradient[:, i].flatten())
        return -into.view(size), None


class _BalancedCrossEntropy(torch.autograd.Function):
    """The published loss, one direction at a time; autograd would keep ten tensors of all pairs."""

    @staticmethod
    def forward(ctx: Any, affinities: Tensor, counts: Tensor, *kinds: Tensor) -> Tensor:
        weights = [
            weight / (count + _EPSILON)
            for weight, count in zip((0.25, 0.25, 0.5), counts.unbind(), strict=True)
        ]
        ctx.save_for_backward(affinities, *kinds, *weights)
        loss = affinities.new_zeros(())
        for i, direction in enumerate(affinities.unbind(1)):
            akin, apart = (direction + _EPSILON).log_(), (1 + _EPSILON - direction).log_()
            for logarithm, kind, weight in zip((akin, akin, apart), kinds, weights, strict=True):
                loss -= weight * (logarithm * kind[:, i]).sum()
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        affinities, background, foreground, different, *weights = ctx.saved_tensors
        near, far, apart = (gradient * weight for weight in weights)
        into = torch.empty_like(affinities)
        for i in range(affinities.shape[1]):
            direction = affinities[:, i]
            pulled = (background[:, i] * near).add_(foreground[:, i] * far).div_(direction + _EPSILON)
            pushed = (different[:, i] * apart).div_(1 + _EPSILON - direction)
            torch.sub(pushed, pulled, out=into[:, i])
        return into, None, None, None, None


def _line(dy: int, dx: int) -> tuple[tuple[int, int], ...]:
    """The points nearer than one pixel to the line from (0, 0) to (dy, dx), in its bounding box, in order."""
    box = [(y, x) for y in range(dy + 1) for x in range(min(0, dx), max(0, dx) + 1)]
    near = [(y, x) for y, x in box if (dy * x - dx * y) ** 2 < dy * dy + dx * dx]
    return tuple(sorted(near, key=lambda point: abs(point[0]) + abs(point[1])))


def _sources(size: tuple[int, ...] | torch.Size, radius: int) -> tuple[int, int]:
    """Rows and columns of the pixels all of whose partners lie inside a map of this size."""
    height, width = size[0] - (radius - 1), size[1] - 2 * (radius - 1)
    if height < 1 or width < 1:
        least = f"{radius}x{2 * radius - 1}"
        raise ValueError(f"map of {size[0]}x{size[1]} pixels: pairs of radius {radius} need {least} at least")
    return height, width


def _shifted(grid: Tensor, dy: int, dx: int, radius: int) -> Tensor:
    """View of `grid` (B, h, w) at the pixels (dy, dx) away from the sources."""
    height, width = _sources(grid.shape[-2:], radius)
    return grid[:, dy : dy + height, dx + radius - 1 : dx + radius - 1 + width]
