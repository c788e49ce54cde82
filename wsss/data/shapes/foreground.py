"""Occluders in front of the objects: grass, boulders, posts and trunks."""

import numpy as np

from wsss.data.shapes.draws import Draws
from wsss.data.shapes.fields import Frame, box, cover, light, limb
from wsss.data.shapes.scenes import rock
from wsss.data.shapes.textures import mix, noise, vary

KINDS = {
    "meadow": ("tuft", "tuft", "rock"),
    "forest": ("trunk", "rock", "tuft"),
    "street": ("post",),
    "snow": ("tuft", "rock", "trunk"),
    "dunes": ("tuft", "rock"),
    "lake": ("tuft", "rock"),
}


def occluder(draws: Draws, kind: str, f: Frame) -> tuple[np.ndarray, np.ndarray]:
    """An occluder, about one unit high: colors (H, W, 3), coverage (H, W)."""
    if kind == "rock":
        color, field = rock(draws, f)
        return color, cover(field, f.scale)
    if kind == "tuft":
        return _tuft(draws, f)
    return _trunk(draws, f, kind == "post")


def _tuft(draws: Draws, f: Frame) -> tuple[np.ndarray, np.ndarray]:
    color = np.zeros((*f.u.shape, 3))
    total = np.zeros(f.u.shape)
    green = draws.pick([(0.34, 0.50, 0.16), (0.52, 0.52, 0.26), (0.26, 0.42, 0.20)])
    for _ in range(draws.whole(14, 22)):
        root = (draws.between(-0.5, 0.5), 0.7)
        tip = (root[0] * 1.6 + draws.between(-0.35, 0.35), draws.between(-0.8, 0.2))
        share = cover(limb(f, root, tip, 0.07, 0.012), f.scale)
        color = mix(color, vary(draws, green, 0.1), share)
        total = share + total * (1 - share)
    return color / np.maximum(total, 1e-9)[..., None], total


def _trunk(draws: Draws, f: Frame, post: bool) -> tuple[np.ndarray, np.ndarray]:
    half = draws.between(0.06, 0.1) if post else draws.between(0.12, 0.22)
    base = draws.pick(
        [(0.28, 0.32, 0.30), (0.62, 0.62, 0.62)] if post else [(0.34, 0.27, 0.20), (0.72, 0.70, 0.66)]
    )
    bark = noise(draws, f.u * (3 if post else 14) + 60, f.v * 3 + 60, 3)
    sway = 0 if post else (noise(draws, f.u * 0, f.v + 60, 2) - 0.5) * 0.1
    field = np.maximum(box(Frame(f.u + sway, f.v, f.scale), (0, -3.3), (half, 4.0)), f.v - 0.7)
    color = np.asarray(vary(draws, base, 0.06)) * (0.5 + bark)[..., None]
    return np.clip(color * light(field, f.scale, half, (-0.6, -0.2))[..., None], 0, 1), cover(field, f.scale)
