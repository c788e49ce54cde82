"""Foxes and badgers from the side: coats and builds overlap, faces differ."""

import numpy as np

from wsss.data.shapes.draws import Draws
from wsss.data.shapes.fields import Frame, Point, ellipse, limb, polygon, union
from wsss.data.shapes.parts import Figure, Part, pile
from wsss.data.shapes.textures import Color, cells, mix, noise, smooth, vary

COATS: tuple[Color, ...] = (
    (0.66, 0.36, 0.16),
    (0.46, 0.33, 0.22),
    (0.48, 0.46, 0.44),
    (0.72, 0.60, 0.42),
    (0.25, 0.22, 0.20),
)
FOX_COATS = (8, 3, 0.5, 2, 0.3)
BADGER_COATS = (0.4, 2, 8, 0.6, 4)


def fox(draws: Draws, f: Frame, sun: Point, hidden: bool) -> Figure:
    """Slender as a rule; a pointed orange face, white cheeks, dark-tipped ears; hidden: turned away."""
    girth = draws.between(0.24, 0.31)
    lying, f = _rest(draws, f)
    coat = _coat(draws, f, FOX_COATS)
    head = (draws.between(0.26, 0.4), draws.between(-0.14, 0.0))
    parts = _body(draws, f, coat, girth, head, lying)
    if draws.chance(0.75):
        tail = (draws.between(-1.15, -0.95), draws.between(-0.15, 0.4))
        brush = limb(f, (-0.6, -0.02), tail, 0.08, 0.14)
        parts.insert(0, Part(brush + _fur(draws, f, 0.04), coat, 0.1))
    if hidden:
        return pile(f, [*parts, *_nape(f, coat, head)], sun)
    face = vary(draws, (0.86, 0.46, 0.14), 0.04)
    dark = (0.10, 0.08, 0.07)
    h = f.at(*head)
    for u in (-0.13, 0.03):
        parts.append(Part(polygon(h, [(u - 0.07, -0.1), (u - 0.02, -0.32), (u + 0.08, -0.1)]), face))
        parts.append(Part(polygon(h, [(u - 0.045, -0.2), (u - 0.02, -0.32), (u + 0.03, -0.2)]), dark))
    skull = union(
        ellipse(h, (0, 0), (0.19, 0.155)), limb(h, (0.08, 0.03), (0.30, 0.08), 0.09, 0.03), soft=0.06
    )
    cheek = smooth(h.v - 0.25 * h.u, 0.0, 0.04)
    parts.append(Part(skull, mix(face, (0.95, 0.93, 0.88), cheek), 0.12))
    parts.append(Part(ellipse(h, (0.32, 0.07), (0.04, 0.035)), dark))
    parts.append(Part(ellipse(h, (0.07, -0.04), (0.035, 0.03)), dark))
    return pile(f, parts, sun)


def badger(draws: Draws, f: Frame, sun: Point, hidden: bool) -> Figure:
    """Stout as a rule; a white face with two black bands; hidden: the face is turned away."""
    girth = draws.between(0.27, 0.35)
    lying, f = _rest(draws, f)
    coat = _coat(draws, f, BADGER_COATS)
    head = (draws.between(0.26, 0.4), draws.between(-0.1, 0.06))
    parts = _body(draws, f, coat, girth, head, lying)
    if draws.chance(0.75):
        tail = (draws.between(-0.95, -0.8), draws.between(-0.15, 0.2))
        parts.insert(0, Part(limb(f, (-0.6, -0.02), tail, 0.08, 0.07) + _fur(draws, f, 0.04), coat, 0.08))
    if hidden:
        return pile(f, [*parts, *_nape(f, coat, head)], sun)
    h = f.at(*head)
    dark = (0.07, 0.07, 0.08)
    for u in (-0.14, -0.02):
        parts.append(Part(ellipse(h, (u, -0.14), (0.055, 0.06)), dark))
        parts.append(Part(ellipse(h, (u, -0.165), (0.03, 0.025)), (0.9, 0.9, 0.88)))
    skull = union(
        ellipse(h, (-0.02, 0), (0.19, 0.16)), limb(h, (0.06, 0.02), (0.28, 0.06), 0.1, 0.05), soft=0.06
    )
    across = np.abs(h.v - 0.2 * h.u + 0.005)
    band = smooth(np.abs(across - 0.07), 0.045, 0.03)
    parts.append(Part(skull, mix((0.94, 0.93, 0.90), dark, band), 0.12))
    parts.append(Part(ellipse(h, (0.31, 0.06), (0.04, 0.04)), dark))
    return pile(f, parts, sun)


def _nape(f: Frame, coat: np.ndarray, head: Point) -> list[Part]:
    """A head seen from behind."""
    h = f.at(*head)
    ears = [Part(ellipse(h, (u, -0.13), (0.05, 0.07)), coat * 0.7) for u in (-0.1, 0.1)]
    return [*ears, Part(ellipse(h, (0, 0), (0.17, 0.16)), coat, 0.12)]


def _coat(draws: Draws, f: Frame, weights: tuple[float, ...]) -> np.ndarray:
    """Fur: hairs along the body, a paler belly, and on some animals a saddle, patches or spots."""
    color = vary(draws, draws.pick(COATS, weights), 0.05)
    red, green, blue = color
    hairs = noise(draws, f.u * 6 + 20, f.v * 22 + 20, 2)
    coat = np.asarray(color) * (0.7 + 0.6 * hairs)[..., None]
    belly = smooth(f.v + 0.1 * noise(draws, f.u * 5 + 9, f.v * 5 + 9, 2), 0.12, 0.32)
    coat = mix(coat, (red * 0.4 + 0.55, green * 0.4 + 0.53, blue * 0.4 + 0.48), belly * draws.between(0, 0.8))
    dark = (red * 0.45, green * 0.42, blue * 0.4)
    marking = draws.pick(["plain", "saddle", "patches", "spots"], [3, 2, 1, 1])
    if marking == "saddle":
        coat = mix(coat, dark, smooth(f.v + 0.12 * hairs, 0.0, -0.16) * 0.8)
    elif marking == "patches":
        coat = mix(coat, dark, smooth(noise(draws, f.u * 3 + 5, f.v * 3 + 5, 3), 0.52, 0.6) * 0.8)
    elif marking == "spots":
        near, _, _ = cells(draws, f.u * 6 + 50, f.v * 6 + 50)
        coat = mix(coat, (red * 0.5 + 0.45, green * 0.5 + 0.42, blue * 0.5 + 0.36), smooth(near, 0.32, 0.22))
    return coat


def _fur(draws: Draws, f: Frame, depth: float) -> np.ndarray:
    """An offset of the distance field that makes edges uneven."""
    return (noise(draws, f.u * 14 + 40, f.v * 14 + 40, 1) - 0.5) * depth


def _rest(draws: Draws, f: Frame) -> tuple[bool, Frame]:
    """Whether the animal lies, and its frame, which is then nearer to the ground."""
    lying = draws.chance(0.2)
    return lying, f.at(0, 0.22) if lying else f


def _body(draws: Draws, f: Frame, coat: np.ndarray, girth: float, head: Point, lying: bool) -> list[Part]:
    """Legs (standing, walking or lying), torso and neck."""
    feet = draws.between(0.42, 0.58)
    stride = draws.between(0, 0.18)
    parts = []
    if lying:
        for hip in (-0.5, 0.38):
            knee = (hip + draws.between(0.15, 0.3), girth + 0.05)
            parts.append(Part(limb(f, (hip, 0.12), knee, 0.13, 0.06), coat, 0.1))
    else:
        for hip, swing, tone in ((-0.46, 1, 0.6), (0.3, -1, 0.6), (-0.54, -1, 1), (0.4, 1, 1)):
            knee = (hip + stride * swing * 0.4, (0.1 + feet) / 2)
            foot = (hip + stride * swing, feet)
            leg = union(limb(f, (hip, 0.08), knee, 0.13, 0.065), limb(f, knee, foot, 0.065, 0.05), soft=0.05)
            parts.append(Part(leg, coat * tone, 0.07))
    rump = draws.between(0.9, 1.1)
    torso = union(
        limb(f, (-0.52, 0), (0.4, draws.between(-0.06, 0.04)), girth * rump, girth),
        ellipse(f, (-0.06, 0.04), (0.55, girth * 1.05)),
        limb(f, (0.4, -0.04), (head[0], head[1] + 0.03), girth * 0.75, 0.16),
        soft=0.15,
    )
    parts.append(Part(torso + _fur(draws, f, 0.04), coat, 0.22))
    return parts
