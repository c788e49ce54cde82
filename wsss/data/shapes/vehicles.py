"""Buses and trams: similar bodies; a bus has an emblem, a tram a front with bars."""

import numpy as np

from wsss.data.shapes.draws import Draws
from wsss.data.shapes.fields import Frame, Point, box, disc, limb
from wsss.data.shapes.parts import Figure, Part, pile
from wsss.data.shapes.textures import Color, mix, noise, smooth, vary

PAINTS: tuple[Color, ...] = (
    (0.72, 0.14, 0.12),
    (0.16, 0.32, 0.62),
    (0.18, 0.45, 0.28),
    (0.88, 0.84, 0.74),
    (0.90, 0.62, 0.14),
    (0.45, 0.48, 0.52),
)
BUS_PAINTS = (6, 5, 0.3, 0.6, 2.5, 0.3)
TRAM_PAINTS = (0.3, 0.5, 6, 2.5, 0.6, 4)
DARK: Color = (0.09, 0.09, 0.10)
SPOKES = ((1.0, 0.0), (0.5, 0.8660254037844386), (-0.5, 0.8660254037844386))


def bus(draws: Draws, f: Frame, sun: Point, hidden: bool) -> Figure:
    """A bright spoked emblem below the windows, near the front; hidden: without it."""
    half = (draws.between(0.78, 0.95), draws.between(0.34, 0.44))
    parts = _body(draws, f, BUS_PAINTS, half, two_tone=0.2, window=draws.between(0.11, 0.17))
    parts = [*_wheels(draws, f, half), *parts]
    if hidden:
        return pile(f, parts, sun)
    radius = draws.between(0.17, 0.2)
    w = f.at(half[0] - draws.between(0.24, 0.32), half[1] - draws.between(0.2, 0.24))
    hub = draws.pick([(0.92, 0.92, 0.90), (0.95, 0.85, 0.45), (0.85, 0.88, 0.95)])
    turn = draws.between(-0.5, 0.5)
    cosine, sine = (1 - turn * turn) / (1 + turn * turn), 2 * turn / (1 + turn * turn)
    w = Frame(w.u * cosine + w.v * sine, w.v * cosine - w.u * sine, w.scale)
    parts.append(Part(disc(w, (0, 0), radius), DARK, 0.05))
    parts.append(Part(disc(w, (0, 0), radius * 0.8), hub, 0.04))
    for du, dv in SPOKES:
        reach = radius * 0.75
        spoke = limb(w, (-du * reach, -dv * reach), (du * reach, dv * reach), 0.02, 0.02)
        parts.append(Part(spoke, (0.25, 0.25, 0.28)))
    parts.append(Part(disc(w, (0, 0), radius * 0.26), (0.75, 0.15, 0.12)))
    return pile(f, parts, sun)


def tram(draws: Draws, f: Frame, sun: Point, hidden: bool) -> Figure:
    """A front with slanting yellow and black bars and a lamp; hidden: the front is turned away."""
    half = (draws.between(0.82, 1.0), draws.between(0.32, 0.42))
    parts = _body(draws, f, TRAM_PAINTS, half, two_tone=0.8, window=draws.between(0.14, 0.2))
    parts.insert(0, _skirt(f, half))
    if hidden:
        return pile(f, parts, sun)
    nose = half[0] - 0.17
    bars = (f.u + f.v) / 0.13
    bars = smooth(np.abs(bars - np.floor(bars) - 0.5), 0.2, 0.3)
    front = box(f, (nose, half[1] - 0.18), (0.16, 0.16), 0.03)
    parts.append(Part(front, mix((0.97, 0.80, 0.10), (0.08, 0.08, 0.08), bars), 0.03))
    parts.append(Part(disc(f, (nose + 0.04, half[1] - 0.44), 0.085), (0.25, 0.25, 0.27)))
    parts.append(Part(disc(f, (nose + 0.04, half[1] - 0.44), 0.062), (1.0, 0.97, 0.80)))
    return pile(f, parts, sun)


def _wheels(draws: Draws, f: Frame, half: Point) -> list[Part]:
    radius = draws.between(0.11, 0.14)
    return [Part(disc(f, (side * half[0] * 0.58, half[1]), radius), DARK, 0.05) for side in (-1, 1)]


def _skirt(f: Frame, half: Point) -> Part:
    return Part(box(f, (0, half[1] + 0.02), (half[0] * 0.92, 0.06), 0.03), DARK)


def _body(
    draws: Draws, f: Frame, paints: tuple[float, ...], half: Point, *, two_tone: float, window: float
) -> list[Part]:
    """A rounded box in one or two colors, with a row of windows, doors, dirt and reflections."""
    paint = vary(draws, draws.pick(PAINTS, paints), 0.06)
    dirt = noise(draws, f.u * 3 + 20, f.v * 5 + 20, 4)
    shine = smooth(np.abs(f.v + half[1] * 0.55), 0.16, 0.0) * 0.12
    coat = np.broadcast_to(np.asarray(paint), (*f.u.shape, 3))
    if draws.chance(two_tone):
        second = vary(draws, draws.pick([(0.90, 0.87, 0.78), (0.75, 0.76, 0.78), (0.20, 0.22, 0.28)]), 0.05)
        border = half[1] * draws.between(0.0, 0.35)
        coat = mix(coat, second, smooth(f.v - border, 0.015, -0.015))
    elif draws.chance(0.5):
        stripe = half[1] * draws.between(0.1, 0.45)
        coat = mix(coat, (0.93, 0.92, 0.88), smooth(np.abs(f.v - stripe), 0.05, 0.035))
    coat = coat * (0.82 + 0.3 * dirt)[..., None] + shine[..., None]
    shell = box(f, (0, 0), half, draws.between(0.06, 0.14))
    parts = [Part(shell, coat, 0.12)]
    high = -half[1] * draws.between(0.25, 0.45)
    step = draws.between(0.26, 0.38)
    rounding = draws.between(0.01, 0.07)
    count = int((half[0] - 0.06) * 2 / step)
    tones = noise(draws, f.u * 2.5 + f.v * 2 + 30, f.v * 1.5 + 30, 2)
    glass = mix(vary(draws, (0.12, 0.15, 0.19), 0.04), (0.62, 0.72, 0.80), smooth(tones, 0.45, 0.75) * 0.9)
    door = draws.whole(0, count - 1)
    for number in range(count):
        u = (number - (count - 1) / 2) * step
        if number == door:
            parts.append(Part(box(f, (u, 0.04), (step * 0.36, half[1] * 0.8), 0.02), coat * 0.7))
            parts.append(Part(box(f, (u, 0.02), (step * 0.28, half[1] * 0.66), 0.02), glass))
        else:
            parts.append(Part(box(f, (u, high), (step * 0.40, window), rounding), glass))
    return parts
