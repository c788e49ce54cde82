"""Pairwise affinities from an edge map, and the loss by which the edge map is trained.

The affinity of two pixels is one minus the strongest edge on the line between them (Ahn, Cho and Kwak,
"Weakly supervised learning of instance segmentation with inter-pixel relations", CVPR 2019: IRNet). All pairs
of a direction have the same shift, so the maximum over their lines is a running maximum over shifted views of
the map: no list of pairs is built, and the map is not copied for each direction. A CPU takes
one direction after the other, whose maps stay in its cache; a GPU takes all at once (`batched_pairs.py`).
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from wsss.losses import batched_pairs
from wsss.losses.pairs import directions, shifted_view, source_size

_EPSILON = 1e-5
#: directions of which a GPU computes the loss at once; a CPU takes one, which stays in its cache
_AT_ONCE = 16


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
    source_size(edge.shape[-2:], radius)
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
    height, width = source_size(labels.shape[-2:], radius)
    steps = directions(radius)
    source = shifted_view(labels, 0, 0, radius)
    if labels.device.type != "cpu":
        return PairLabels(*batched_pairs.kinds(labels, radius, ignore))
    shape = (len(labels), len(steps), height, width)
    pairs = PairLabels(*(torch.empty(shape, dtype=torch.bool, device=labels.device) for _ in range(3)))
    known = source != ignore
    for i, step in enumerate(steps):
        target = shifted_view(labels, step.dy, step.dx, radius)
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
        ctx.radius, ctx.shape = radius, edge.shape
        if edge.device.type != "cpu":
            strongest, position = batched_pairs.strongest(edge, radius, where=ctx.needs_input_grad[0])
            if position is not None:
                ctx.save_for_backward(position)
            return strongest.neg_().add_(1)
        steps = directions(radius)
        height, width = source_size(edge.shape[-2:], radius)
        shape = (len(edge), len(steps), height, width)
        affinities = edge.new_empty(shape)
        position = edge.new_empty(shape, dtype=torch.uint8) if ctx.needs_input_grad[0] else None
        # buffers of one direction stay in the cache; floats, because comparing into booleans is slow
        strongest, higher, where = (edge.new_empty(shape[0], height, width) for _ in range(3))
        for i, step in enumerate(steps):
            strongest.copy_(shifted_view(edge, *step.path[0], radius))
            where.zero_()
            for p, (dy, dx) in enumerate(step.path[1:], start=1):
                candidate = shifted_view(edge, dy, dx, radius)
                if position is not None:
                    torch.gt(candidate, strongest, out=higher)
                    torch.maximum(where, higher.mul_(p), out=where)
                torch.maximum(strongest, candidate, out=strongest)
            torch.sub(1, strongest, out=affinities[:, i])
            if position is not None:
                position[:, i] = where
        if position is not None:
            ctx.save_for_backward(position)
        return affinities

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (position,) = ctx.saved_tensors
        size, radius = ctx.shape, ctx.radius
        if gradient.device.type != "cpu":
            return batched_pairs.scattered(gradient, position, size, radius).neg_(), None
        grid = torch.arange(math.prod(size), device=gradient.device).view(size)
        source = shifted_view(grid, 0, 0, radius).flatten()
        into = gradient.new_zeros(math.prod(size))
        for i, step in enumerate(directions(radius)):
            jumps = torch.tensor([dy * size[-1] + dx for dy, dx in step.path], device=gradient.device)
            jump = jumps.index_select(0, position[:, i].flatten().int())
            into.scatter_add_(0, jump.add_(source), gradient[:, i].flatten())
        return -into.view(size), None


class _BalancedCrossEntropy(torch.autograd.Function):
    """The published loss, a few directions at a time; autograd would keep ten tensors of all pairs."""

    @staticmethod
    def forward(ctx: Any, affinities: Tensor, counts: Tensor, *kinds: Tensor) -> Tensor:
        weights = [
            weight / (count + _EPSILON)
            for weight, count in zip((0.25, 0.25, 0.5), counts.unbind(), strict=True)
        ]
        ctx.save_for_backward(affinities, *kinds, *weights)
        loss = affinities.new_zeros(())
        for part in _parts(affinities):
            akin, apart = (affinities[:, part] + _EPSILON).log_(), (1 + _EPSILON - affinities[:, part]).log_()
            for logarithm, kind, weight in zip((akin, akin, apart), kinds, weights, strict=True):
                loss -= weight * (logarithm * kind[:, part]).sum()
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        affinities, background, foreground, different, *weights = ctx.saved_tensors
        near, far, apart = (gradient * weight for weight in weights)
        into = torch.empty_like(affinities)
        for part in _parts(affinities):
            pulled = (background[:, part] * near).add_(foreground[:, part] * far)
            pulled.div_(affinities[:, part] + _EPSILON)
            pushed = (different[:, part] * apart).div_(1 + _EPSILON - affinities[:, part])
            torch.sub(pushed, pulled, out=into[:, part])
        return into, None, None, None, None


def _parts(affinities: Tensor) -> Iterator[slice]:
    """The directions in parts of the size that suits the device."""
    size = 1 if affinities.device.type == "cpu" else _AT_ONCE
    for start in range(0, affinities.shape[1], size):
        yield slice(start, start + size)
