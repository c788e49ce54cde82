"""Objects are composed of parts: forms with a color and shading, drawn in order."""

from dataclasses import dataclass

import numpy as np

from wsss.data.shapes.fields import Frame, Point, cover, light
from wsss.data.shapes.textures import Color


@dataclass(frozen=True)
class Part:
    """One form. color: one, or one for each pixel (H, W, 3). roundness: see fields.light; 0 is flat."""

    field: np.ndarray
    color: Color | np.ndarray
    roundness: float = 0


@dataclass(frozen=True)
class Figure:
    """An object, drawn alone: colors (H, W, 3) and coverage (H, W) in [0, 1]."""

    color: np.ndarray
    cover: np.ndarray


def pile(f: Frame, parts: list[Part], sun: Point) -> Figure:
    """Compose the parts, the first at the bottom, and shade them by the direction of the sun."""
    shape = f.u.shape
    color = np.zeros((*shape, 3))
    total = np.zeros(shape)
    for part in parts:
        share = cover(part.field, f.scale)
        paint = np.broadcast_to(np.asarray(part.color), (*shape, 3))
        if part.roundness > 0:
            paint = paint * light(part.field, f.scale, part.roundness, sun)[..., None]
        total = share + total * (1 - share)
        # color of what is covered, not premultiplied: the edge must not darken against an empty ground
        weight = np.where(total > 0, share / np.maximum(total, 1e-9), 0)[..., None]
        color = color * (1 - weight) + paint * weight
    return Figure(np.clip(color, 0, 1), total)
