"""Spreading CAMs along the affinities: a random walk that edges hold back.

The published result is x·T^256, where T holds the affinities between all pixels, normalized by column, and
is squared eight times as a dense matrix. But only 68 neighbors of a pixel have an affinity with it, so T is
a stencil: 34 maps of affinities, one per direction, each used both ways because affinities are mutual. And T
is similar to a symmetric matrix with eigenvalues in [-1, 1], where a power is a short Chebyshev series: z^n
is the sum over k of P(|S_n| = k)·T_k(z), S_n being the sum of n fair steps of ±1. So 70 products stand for
256, and memory is linear in the number of pixels. The same code runs on a CPU and, for a batch of images, on
a GPU.
"""

import math
from functools import cache
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wsss.errors import UserError
from wsss.losses.affinity import pair_affinities
from wsss.losses.pairs import directions

#: what the coefficients of the left-out terms may sum to; the walk then errs by some ten times that
TRUNCATION = 1e-5

Array = TypeVar("Array", np.ndarray, Tensor)


def random_walk(cams: Array, edge: Array, *, beta: float = 10, steps: int = 256, radius: int = 5) -> Array:
    """Let the CAMs of an image walk `steps` steps (IRNet, CVPR 2019, as P-NOC computes it).

    cams: (K, h, w), K >= 0; edge: (h, w) in [0, 1], 1 = a boundary (after the sigmoid). A batch is
    (B, K, h, w) with (B, h, w); smaller images are padded on the right and bottom with cams 0 and edge 1,
    which changes nothing. beta: exponent that sharpens the affinities; steps: number of steps, 2^8 as
    published; radius: pixels nearer than this are neighbors.
    Returns cams·(1 - edge)·T^steps in float32, same shape, kind and device as `cams`, not normalized
    (`wsss.store.walks.WalkMaps.full` does that); every step averages, so nothing lies outside the range it
    began with. CAMs that are zero stay zero. Raises UserError for shapes, values or options that cannot be
    walked.
    """
    maps, boundary = torch.as_tensor(_writable(cams)), torch.as_tensor(_writable(edge))
    _check(maps, boundary, beta, steps, radius)
    batched = maps.ndim == 4
    with torch.no_grad(), torch.autocast(maps.device.type, enabled=False):
        # the recurrence adds up rounding: in single precision it errs by 3e-4 and is a third faster
        maps, boundary = maps.double(), boundary.double()
        if not batched:
            maps, boundary = maps[None], boundary[None]
        walked = _walk(maps * (1 - boundary)[:, None], boundary, beta, steps, radius).float()
    walked = walked if batched else walked[0]
    return walked if isinstance(cams, Tensor) else walked.numpy()


def _walk(maps: Tensor, edge: Tensor, beta: float, steps: int, radius: int) -> Tensor:
    """The Chebyshev series of T applied to maps (B, K, h, w)."""
    partners = _stencil(edge, beta, radius)

    def spread(x: Tensor, out: Tensor) -> Tensor:
        """Every value to the pixel itself and to its partners, times the affinity."""
        out.copy_(x)
        for shift, affinity in partners:
            out[..., :-shift].addcmul_(affinity, x[..., shift:])
            out[..., shift:].addcmul_(affinity, x[..., :-shift])
        return out

    start = maps.flatten(2)
    degree = spread(torch.ones_like(start[:, :1]), torch.empty_like(start[:, :1]))
    portion = degree.reciprocal_()
    coefficients = _series(steps)
    # T_0 = x, T_1 = T x, T_k = 2 T T_(k-1) - T_(k-2)
    before, now, scratch = start.clone(), torch.empty_like(start), torch.empty_like(start)
    total = coefficients[0] * before
    if len(coefficients) > 1:
        spread(before, now).mul_(portion)
        total.add_(now, alpha=coefficients[1])
    portion.mul_(2)
    for coefficient in coefficients[2:]:
        torch.addcmul(before.neg_(), spread(now, scratch), portion, out=before)
        before, now = now, before
        if coefficient:
            total.add_(now, alpha=coefficient)
    # T averages: no true result lies outside the values that the map began with, a cut series does, a bit
    low, high = start.aminmax(dim=-1, keepdim=True)
    return total.clamp_(low, high).view(maps.shape)


def _stencil(edge: Tensor, beta: float, radius: int) -> list[tuple[int, Tensor]]:
    """Affinities of edge maps (B, h, w), for maps flattened to (B, K, h·w).

    Per direction the distance to the partner in the flattened map, and the affinities (B, 1, h·w - distance)
    of every pixel with it, 0 where it would lie outside of the map.
    """
    height, width = edge.shape[-2:]
    reach = radius - 1
    # beyond the border everything is an edge, so nobody has a partner there
    padded = functional.pad(edge[:, None], (reach, reach, 0, reach), value=1.0)
    affinities = pair_affinities(padded, radius).pow_(beta).flatten(2)
    return [
        (shift, affinities[:, i : i + 1, :-shift])
        for i, direction in enumerate(directions(radius))
        if direction.dy < height and abs(direction.dx) < width
        for shift in [direction.dy * width + direction.dx]
    ]


@cache
def _series(steps: int) -> tuple[float, ...]:
    """Chebyshev coefficients of x^steps on [-1, 1], cut where the rest is below TRUNCATION, with sum 1.

    Coefficient k is the chance that a sum of `steps` fair steps of ±1 is k or -k. Sum 1 keeps a map that is
    constant where pixels are connected exactly as it is.
    """
    kept = [0.0] * (steps + 1)
    total = 0.0
    for k in range(steps % 2, steps + 1, 2):
        kept[k] = (1 if k == 0 else 2) * math.comb(steps, (steps - k) // 2) / 2**steps
        total += kept[k]
        if total >= 1 - TRUNCATION:
            return tuple(coefficient / total for coefficient in kept[: k + 1])
    return tuple(kept)


def _writable(array: np.ndarray | Tensor) -> np.ndarray | Tensor:
    """Torch shares NumPy's memory and warns when that is read-only or of another byte order."""
    return array if isinstance(array, Tensor) else np.require(array, np.float32, ["C", "W"])


def _check(maps: Tensor, edge: Tensor, beta: float, steps: int, radius: int) -> None:
    faults = []
    if maps.ndim not in (3, 4) or maps.shape[:-3] != edge.shape[:-2] or maps.shape[-2:] != edge.shape[-2:]:
        found = f"cams {tuple(maps.shape)} and edge {tuple(edge.shape)}"
        faults.append(f"{found}: (K, h, w) and (h, w) are needed")
    elif 0 in maps.shape[-2:]:
        faults.append(f"cams {tuple(maps.shape)}: the map has no pixels")
    if not (beta > 0 and math.isfinite(beta)):
        faults.append(f"beta {beta}: a positive number is needed")
    if steps < 0:
        faults.append(f"steps {steps}: 0 or more are needed")
    if radius < 2:
        faults.append(f"radius {radius}: 2 or more is needed")
    if not faults and not bool(((edge >= 0) & (edge <= 1)).all()):
        faults.append("edge: values outside [0, 1] (apply the sigmoid)")
    if not faults and not bool(maps.isfinite().all()):
        faults.append("cams: not finite")
    if faults:
        raise UserError("random walk: " + "; ".join(faults))
