"""One picture of `shapes`: a landscape, one to three kinds of things in it, something in front of them."""

from dataclasses import dataclass

import numpy as np

from wsss.data.palette import IGNORE
from wsss.data.shapes.animals import badger, fox
from wsss.data.shapes.canvas import Canvas, Window
from wsss.data.shapes.draws import Draws
from wsss.data.shapes.fields import Point, frame
from wsss.data.shapes.foreground import KINDS, occluder
from wsss.data.shapes.parts import Figure
from wsss.data.shapes.plants import sunflower, thistle
from wsss.data.shapes.scenes import SCENES, Scene, scene
from wsss.data.shapes.vehicles import bus, tram

FIGURES = {"fox": fox, "badger": badger, "bus": bus, "tram": tram, "sunflower": sunflower, "thistle": thistle}
CLASSES = tuple(FIGURES)
HABITATS = {
    "fox": "meadow",
    "badger": "forest",
    "bus": "street",
    "tram": "street",
    "sunflower": "meadow",
    "thistle": "dunes",
}
AT_HOME = 0.3
"""How often a picture's first object stands in its habitat, else anywhere: context tells, but also lies."""

AREAS = {"fox": 0.85, "badger": 0.9, "bus": 1.4, "tram": 1.4, "sunflower": 1.05, "thistle": 1.0}
"""Nominal area of a figure in units squared, from which its scale follows."""

SHARES = {1: (0.28, 0.48), 2: (0.17, 0.28), 3: (0.11, 0.16)}
"""Share of the picture that one of n objects covers."""

TILTS = {"fox": 0.08, "badger": 0.08, "bus": 0.025, "tram": 0.025, "sunflower": 0.06, "thistle": 0.06}
"""Tan of half the largest angle by which a figure leans."""

REACH = 1.5
"""No figure reaches farther than this from its centre, in units."""

HIDDEN = 0.05
"""How often the telling part is not to be seen, so that a body alone has to be enough."""

LEAST_INSIDE = 0.5
"""An object of which less than this share of its nominal area is in the picture is left out."""

LEAST_VISIBLE = 0.45
"""What would leave less than this share of an object to see is left out."""


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
    """The picture with this number of a split, whose sides are within an eighth of `size` pixels."""
    draws = Draws(seed, split, number, size)
    shape = (draws.whole(size * 7 // 8, size * 9 // 8), draws.whole(size * 7 // 8, size * 9 // 8))
    names = _cast(draws, CLASSES[number % len(CLASSES)])
    kind = HABITATS[names[0]] if draws.chance(AT_HOME) else draws.pick(SCENES)
    land = scene(draws, kind, shape)
    canvas = Canvas(land.pixels)
    stage = [(*_stand(draws, land, name, slot, len(names)), name) for slot, name in enumerate(names)]
    # nearer objects, which stand lower, are painted later
    stage.sort(key=lambda entry: entry[0][1] + 0.5 * entry[1])
    for left, (centre, scale, name) in zip(range(len(stage) - 1, -1, -1), stage, strict=True):
        window = Window.around(shape, centre, REACH * scale)
        figure = _draw(draws, land, name, window.local(centre), scale, window.shape)
        fits = (figure.cover > 0.5).sum() > LEAST_INSIDE * AREAS[name] * scale * scale
        last_hope = left == 0 and not canvas.names
        if last_hope or (fits and canvas.leaves(window, figure.cover, LEAST_VISIBLE)):
            canvas.shade(centre, scale)
            canvas.add(window, figure, name)
    _foreground(draws, land, canvas)
    return _develop(draws, canvas)


def _cast(draws: Draws, first: str) -> list[str]:
    """One to three classes, now and then one of them twice, at most three objects."""
    names = [first]
    others = [name for name in CLASSES if name != first]
    for _ in range(draws.pick([0, 1, 2], [6, 3, 1])):
        name = draws.pick(others)
        others.remove(name)
        names.append(name)
    if len(names) < 3 and draws.chance(0.2):
        names.append(names[-1])
    return names


def _stand(draws: Draws, land: Scene, name: str, slot: int, count: int) -> tuple[Point, float]:
    """Centre in pixels and scale of the object in the slot-th of `count` places, left to right."""
    height, width = land.pixels.shape[:2]
    low, high = SHARES[count]
    scale = float(np.sqrt(draws.between(low, high) * height * width / AREAS[name]))
    x = width * (slot + draws.between(0.3, 0.7)) / count
    floor = max(land.horizon + 0.5 * scale, 0.55 * height)
    y = draws.between(min(floor, 0.8 * height), 0.95 * height) - 0.45 * scale
    return (x, y), scale


def _draw(
    draws: Draws, land: Scene, name: str, centre: Point, scale: float, shape: tuple[int, int]
) -> Figure:
    tilt = draws.between(-TILTS[name], TILTS[name])
    f = frame(shape, centre, scale, tilt=tilt, mirrored=draws.chance(0.5), squeeze=draws.between(0.75, 1.0))
    return FIGURES[name](draws, f, land.sun, draws.chance(HIDDEN))


def _foreground(draws: Draws, land: Scene, canvas: Canvas) -> None:
    """Now and then something stands before the objects."""
    height, width = land.pixels.shape[:2]
    for _ in range(draws.pick([0, 1, 2], [5, 3, 2])):
        kind = draws.pick(KINDS[land.kind])
        scale = draws.between(0.14, 0.26) * height
        centre = (draws.between(0, width), draws.between(0.75, 0.98) * height - 0.5 * scale)
        window = Window.around(
            (height, width), centre, 9 * scale if kind in ("trunk", "post") else 1.5 * scale
        )
        f = frame(window.shape, window.local(centre), scale)
        colour, share = occluder(draws, kind, f)
        if canvas.leaves(window, share, LEAST_VISIBLE):
            canvas.add(window, Figure(colour, share), None)


def _develop(draws: Draws, canvas: Canvas) -> Picture:
    """Exposure, a colour cast and the sensor's noise; then the mask with its void border."""
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
    """Void where a pixel touches a higher class: a ring one pixel wide around each object."""
    highest = mask.copy()
    np.maximum(highest[1:], mask[:-1], out=highest[1:])
    np.maximum(highest[:-1], mask[1:], out=highest[:-1])
    np.maximum(highest[:, 1:], mask[:, :-1], out=highest[:, 1:])
    np.maximum(highest[:, :-1], mask[:, 1:], out=highest[:, :-1])
    return np.where(highest > mask, IGNORE, mask).astype(np.uint8)
