"""An image of `shapes`: a landscape, objects of one to three classes, and occluders."""

from dataclasses import dataclass

import numpy as np

from wsss.data.shapes.canvas import Canvas, Window
from wsss.data.shapes.draws import Draws
from wsss.data.shapes.fields import frame
from wsss.data.shapes.foreground import KINDS, occluder
from wsss.data.shapes.parts import Figure
from wsss.data.shapes.scenes import Scene, scene
from wsss.data.shapes.staging import CLASSES, cast, draw, landscape, stand
from wsss.metrics import IGNORE

REACH = 1.5
"""Largest distance of a figure's pixels from its center, in units."""

LEAST_INSIDE = 0.5
"""Objects with a smaller share inside the image are left out."""

LEAST_VISIBLE = 0.45
"""Figures that would leave a smaller share of an object visible are left out."""


@dataclass(frozen=True)
class Thing:
    """A visible object: its class and box (xmin, ymin, xmax, ymax), 1-based and inclusive as in VOC."""

    name: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Picture:
    """pixels uint8 (H, W, 3); mask uint8 (H, W) with 255 on a border one pixel wide; the things in it."""

    pixels: np.ndarray
    mask: np.ndarray
    things: tuple[Thing, ...]


def picture(seed: int, split: int, number: int, size: int) -> Picture:
    """The image with this number of a split; its sides are within an eighth of `size` pixels."""
    draws = Draws(seed, split, number, size)
    shape = (draws.whole(size * 7 // 8, size * 9 // 8), draws.whole(size * 7 // 8, size * 9 // 8))
    names = cast(draws, CLASSES[number % len(CLASSES)])
    land = scene(draws, landscape(draws, names[0]), shape)
    canvas = Canvas(land.pixels)
    poses = [stand(draws, land, name, slot, len(names)) for slot, name in enumerate(names)]
    # nearer objects, which stand lower, are painted later
    poses.sort(key=lambda pose: pose.foot)
    for pose in poses:
        window = Window.around(shape, pose.center, REACH * pose.scale)
        figure = draw(draws, pose, window.local(pose.center), window.shape, land.sun)
        fits = (figure.cover > 0.5).sum() > LEAST_INSIDE * pose.area
        last_hope = pose is poses[-1] and not canvas.names
        if last_hope or (fits and canvas.leaves(window, figure.cover, LEAST_VISIBLE)):
            canvas.shade(pose.center, pose.scale)
            canvas.add(window, figure, pose.name)
    _foreground(draws, land, canvas)
    return _develop(draws, canvas)


def _foreground(draws: Draws, land: Scene, canvas: Canvas) -> None:
    """Draw up to two occluders."""
    height, width = land.pixels.shape[:2]
    for _ in range(draws.pick([0, 1, 2], [5, 3, 2])):
        kind = draws.pick(KINDS[land.kind])
        scale = draws.between(0.14, 0.26) * height
        center = (draws.between(0, width), draws.between(0.75, 0.98) * height - 0.5 * scale)
        window = Window.around(
            (height, width), center, 9 * scale if kind in ("trunk", "post") else 1.5 * scale
        )
        f = frame(window.shape, window.local(center), scale)
        color, share = occluder(draws, kind, f)
        if canvas.leaves(window, share, LEAST_VISIBLE):
            canvas.add(window, Figure(color, share), None)


def _develop(draws: Draws, canvas: Canvas) -> Picture:
    """Apply exposure, a color cast and sensor noise, and make the mask with its void border."""
    shape = canvas.owner.shape
    exposure = draws.between(0.82, 1.1)
    cast = np.array([exposure * draws.between(0.93, 1.07) for _ in range(3)])
    grain = draws.table(*shape, 3) + draws.table(*shape, 3) - 1
    pixels = np.clip(canvas.pixels * cast + grain * draws.between(0.01, 0.05), 0, 1)
    value = np.array([0, *(CLASSES.index(name) + 1 for name in canvas.names)], np.uint8)
    things = []
    for number, name in enumerate(canvas.names, 1):
        rows, columns = np.nonzero(canvas.owner == number)
        box = (int(columns.min()) + 1, int(rows.min()) + 1, int(columns.max()) + 1, int(rows.max()) + 1)
        things.append(Thing(name, box))
    return Picture(np.floor(pixels * 255 + 0.5).astype(np.uint8), _border(value[canvas.owner]), tuple(things))


def _border(mask: np.ndarray) -> np.ndarray:
    """The mask with void where a pixel touches a higher class: a border of one pixel around each object."""
    highest = mask.copy()
    np.maximum(highest[1:], mask[:-1], out=highest[1:])
    np.maximum(highest[:-1], mask[1:], out=highest[:-1])
    np.maximum(highest[:, 1:], mask[:, :-1], out=highest[:, 1:])
    np.maximum(highest[:, :-1], mask[:, 1:], out=highest[:, :-1])
    return np.where(highest > mask, IGNORE, mask).astype(np.uint8)
