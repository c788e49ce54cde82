"""Sunflowers and thistles: similar leaves, different flower heads."""

import numpy as np

from wsss.data.shapes.draws import Draws
from wsss.data.shapes.fields import Frame, Point, disc, ellipse, limb, union
from wsss.data.shapes.parts import Figure, Part, pile
from wsss.data.shapes.textures import Color, cells, foliage, mix, noise, smooth, vary

GREENS: tuple[Color, ...] = ((0.36, 0.52, 0.16), (0.28, 0.46, 0.26), (0.42, 0.50, 0.36), (0.50, 0.54, 0.20))
SUNFLOWER_GREENS = (5, 0.5, 0.5, 5)
THISTLE_GREENS = (0.5, 5, 5, 0.5)
_TWELFTHS = ((1.0, 0.0), (0.8660254037844386, 0.5), (0.5, 0.8660254037844386))
#: directions of the hours of a clock
RAYS = tuple(ray for u, v in _TWELFTHS for ray in ((u, v), (-u, -v), (-v, u), (v, -u)))


def sunflower(draws: Draws, f: Frame, sun: Point, hidden: bool) -> Figure:
    """Yellow rays around a dark, seeded disc; broad leaves as a rule; hidden: in bud."""
    leaf = (draws.between(3.6, 5.4), draws.between(0.32, 0.48))
    parts, tops = _bush(draws, f, SUNFLOWER_GREENS, leaf, tall=draws.between(0.9, 1.25))
    if hidden:
        return pile(f, [*parts, *_buds(f, tops)], sun)
    yellow = vary(draws, (0.98, 0.80, 0.10), 0.03)
    for top in tops:
        size = draws.between(0.19, 0.24)
        facing = draws.between(0.75, 1)
        h = f.at(*top)
        h = Frame(h.u / facing, h.v, f.scale)
        rays = union(*[limb(h, (0, 0), (u * size, v * size), size * 0.2, size * 0.13) for u, v in RAYS])
        fall = smooth(np.sqrt(h.u * h.u + h.v * h.v), size * 0.4, size * 1.1)
        parts.append(Part(rays, mix((0.85, 0.50, 0.05), yellow, fall), 0.03))
        near, _, _ = cells(draws, h.u * 30 + 50, h.v * 30 + 50)
        seeds = mix((0.30, 0.18, 0.08), (0.12, 0.07, 0.04), smooth(near, 0.2, 0.6))
        parts.append(Part(disc(h, (0, 0), size * 0.5), seeds, 0.04))
    return pile(f, parts, sun)


def thistle(draws: Draws, f: Frame, sun: Point, hidden: bool) -> Figure:
    """A purple brush on a scaly green bulb; narrow leaves as a rule; hidden: in bud."""
    leaf = (draws.between(4.4, 6.2), draws.between(0.2, 0.36))
    parts, tops = _bush(draws, f, THISTLE_GREENS, leaf, tall=draws.between(0.75, 1.1))
    if hidden:
        return pile(f, [*parts, *_buds(f, tops)], sun)
    purple = np.asarray(vary(draws, (0.66, 0.22, 0.66), 0.05))
    for top in tops:
        size = draws.between(0.18, 0.23)
        h = f.at(*top)
        tips = [(0.0, -1.0), (-0.45, -0.9), (0.45, -0.9), (-0.8, -0.55), (0.8, -0.55)]
        brush = union(
            *[limb(h, (0, size * 0.2), (u * size, v * size), size * 0.28, size * 0.12) for u, v in tips]
        )
        hairs = noise(draws, h.u * 40 + 90, h.v * 8 + 90, 2)
        parts.append(Part(brush, mix((0.38, 0.08, 0.42), (0.88, 0.50, 0.86), hairs) * 0.6 + purple * 0.4))
        near, _, _ = cells(draws, h.u * 26 + 50, h.v * 26 + 50)
        scales = mix((0.46, 0.58, 0.34), (0.20, 0.28, 0.14), smooth(near, 0.3, 0.6))
        parts.append(Part(ellipse(h, (0, size * 0.42), (size * 0.58, size * 0.55)), scales, 0.06))
    return pile(f, parts, sun)


def _buds(f: Frame, tops: list[Point]) -> list[Part]:
    return [Part(ellipse(f.at(*top), (0, 0), (0.08, 0.1)), (0.38, 0.52, 0.26), 0.06) for top in tops]


def _bush(
    draws: Draws, f: Frame, greens: tuple[float, ...], leaf: Point, tall: float
) -> tuple[list[Part], list[Point]]:
    """Leaves on the ground, and the places of one or two flower heads at one side.

    leaf: leaves per unit, and their breadth by their length.
    """
    wide = draws.between(0.65, 0.85)
    lobes = [disc(f, (0, 0.25), 0.42)]
    for _ in range(draws.whole(4, 6)):
        lobes.append(
            disc(f, (draws.between(-wide, wide), draws.between(-0.1, 0.4)), draws.between(0.2, 0.34))
        )
    crown = (draws.between(-0.3, 0.3), -0.62 * tall + 0.15)
    lobes.append(disc(f, crown, draws.between(0.2, 0.3)))
    bloom = (draws.pick([-1, 1]) * draws.between(0.3, 0.5), draws.between(0.0, 0.2))
    lobes.append(disc(f, bloom, 0.3))
    field = union(*lobes, soft=0.2)
    red, green, blue = vary(draws, draws.pick(GREENS, greens), 0.05)
    shade = (red * 0.3, green * 0.35, blue * 0.3)
    bright = (red * 1.3, green * 1.3, blue * 1.2)
    leaves = np.broadcast_to(np.asarray(shade), (*f.u.shape, 3))
    for size in (1.3, 1.0):
        inside, tone, rib = foliage(draws, f.u * leaf[0] * size + 50, f.v * leaf[0] * size + 50, leaf[1])
        blade = mix(shade, bright, np.clip(0.25 + 0.65 * tone, 0, 1))
        leaves = mix(leaves, mix(blade, bright, rib * 0.5), inside)
        field = field + 0.05 - 0.1 * inside
    field = np.maximum(field, f.v - 0.62)
    tops = [bloom]
    if draws.chance(0.4):
        tops.append((bloom[0] + draws.between(-0.15, 0.15), bloom[1] - draws.between(0.28, 0.36)))
    return [Part(field, leaves, 0.35)], tops
