"""Sunflowers and thistles: leafy bushes that differ little, and a few flower heads that differ much."""

import numpy as np

from wsss.data.shapes.draws import Draws
from wsss.data.shapes.fields import Frame, Point, disc, ellipse, limb, union
from wsss.data.shapes.parts import Figure, Part, pile
from wsss.data.shapes.textures import Colour, cells, mix, noise, smooth, vary

LEAVES: tuple[Colour, ...] = ((0.36, 0.52, 0.16), (0.28, 0.46, 0.26), (0.42, 0.50, 0.36), (0.50, 0.54, 0.20))
SUNFLOWER_LEAVES = (4, 2, 1, 3)
THISTLE_LEAVES = (2, 4, 3, 1)
# every 30 degrees
PETALS = tuple(
    (u * a, v * b)
    for u, v in ((1.0, 0.0), (0.8660254037844386, 0.5), (0.5, 0.8660254037844386))
    for a, b in ((1, 1), (-1, -1))
) + tuple(
    (-v * a, u * b)
    for u, v in ((1.0, 0.0), (0.8660254037844386, 0.5), (0.5, 0.8660254037844386))
    for a, b in ((1, 1), (-1, -1))
)


def sunflower(draws: Draws, f: Frame, sun: Point) -> Figure:
    """Yellow rays around a dark, seeded disc."""
    parts, tops = _bush(draws, f, SUNFLOWER_LEAVES, leaf=draws.between(3.2, 5.0), tall=draws.between(0.9, 1.25))
    yellow = vary(draws, (0.98, 0.80, 0.10), 0.03)
    for top in tops:
        size = draws.between(0.17, 0.22)
        facing = draws.between(0.75, 1)
        h = f.at(*top)
        h = Frame(h.u / facing, h.v, f.scale)
        rays = union(*[limb(h, (0, 0), (u * size, v * size), size * 0.2, size * 0.13) for u, v in PETALS])
        fall = smooth(np.sqrt(h.u * h.u + h.v * h.v), size * 0.4, size * 1.1)
        parts.append(Part(rays, mix((0.85, 0.50, 0.05), yellow, fall), 0.03))
        near, _, _ = cells(draws, h.u * 30 + 50, h.v * 30 + 50)
        seeds = mix((0.30, 0.18, 0.08), (0.12, 0.07, 0.04), smooth(near, 0.2, 0.6))
        parts.append(Part(disc(h, (0, 0), size * 0.5), seeds, 0.04))
    return pile(f, parts, sun, tops[0])


def thistle(draws: Draws, f: Frame, sun: Point) -> Figure:
    """A purple brush on a scaly green bulb."""
    parts, tops = _bush(draws, f, THISTLE_LEAVES, leaf=draws.between(4.2, 6.5), tall=draws.between(0.75, 1.1))
    purple = vary(draws, (0.66, 0.22, 0.66), 0.05)
    for top in tops:
        size = draws.between(0.16, 0.21)
        h = f.at(*top)
        tufts = [(0.0, -1.0), (-0.45, -0.9), (0.45, -0.9), (-0.8, -0.55), (0.8, -0.55)]
        brush = union(
            *[limb(h, (0, size * 0.2), (u * size, v * size), size * 0.28, size * 0.12) for u, v in tufts]
        )
        hairs = noise(draws, h.u * 40 + 90, h.v * 8 + 90, 2)
        parts.append(Part(brush, mix((0.38, 0.08, 0.42), (0.88, 0.50, 0.86), hairs) * 0.6 + np.asarray(purple) * 0.4))
        near, _, _ = cells(draws, h.u * 26 + 50, h.v * 26 + 50)
        scales = mix((0.46, 0.58, 0.34), (0.20, 0.28, 0.14), smooth(near, 0.3, 0.6))
        parts.append(Part(ellipse(h, (0, size * 0.42), (size * 0.58, size * 0.55)), scales, 0.06))
    return pile(f, parts, sun, tops[0])


def _bush(
    draws: Draws, f: Frame, greens: tuple[float, ...], leaf: float, tall: float
) -> tuple[list[Part], list[Point]]:
    """A heap of leaves on the ground, and where on it the flower heads sit."""
    wide = draws.between(0.55, 0.8)
    lobes = [disc(f, (0, 0.25), 0.42)]
    for _ in range(draws.whole(4, 6)):
        lobes.append(disc(f, (draws.between(-wide, wide), draws.between(-0.1, 0.4)), draws.between(0.2, 0.34)))
    crown = (draws.between(-0.3, 0.3), -0.62 * tall + 0.15)
    lobes.append(disc(f, crown, draws.between(0.2, 0.3)))
    field = union(*lobes, soft=0.2)
    # leaves as slanting cells, a few sizes over each other
    slant = draws.between(-0.6, 0.6)
    near, second, tone = cells(draws, (f.u + slant * f.v) * leaf + 50, (f.v - slant * f.u) * leaf * 0.6 + 50)
    rough = noise(draws, f.u * leaf + 30, f.v * leaf + 30, 3)
    colour = vary(draws, draws.pick(LEAVES, greens), 0.05)
    red, green, blue = colour
    leaves = mix(
        (red * 0.45, green * 0.5, blue * 0.45), (red * 1.3, green * 1.3, blue * 1.2), np.clip(tone * 0.6 + rough * 0.4, 0, 1)
    )
    leaves = leaves * (0.45 + 0.55 * smooth(second - near, 0.0, 0.3))[..., None]
    field = np.maximum(field + (near - 0.45) * (0.7 / leaf) + (rough - 0.5) * 0.08, f.v - 0.62)
    tops: list[Point] = [(crown[0] + draws.between(-0.05, 0.05), crown[1] - draws.between(0.05, 0.15))]
    for _ in range(draws.whole(0, 2)):
        side = -1 if tops[-1][0] > 0 else 1
        tops.append((side * draws.between(0.25, wide - 0.1), draws.between(-0.45, -0.05)))
    stems = [Part(limb(f, (top[0] * 0.6, 0.3), top, 0.04, 0.03), (red * 0.8, green * 0.8, blue * 0.7)) for top in tops]
    return [*stems, Part(field, leaves, 0.35)], tops
