"""One picture of `shapes`: a landscape, one to three kinds of things in it, and something in front of them."""

from dataclasses import dataclass

import numpy as np

from wsss.data.palette import IGNORE
from wsss.data.shapes.animals import badger, fox
from wsss.data.shapes.draws import Draws
from wsss.data.shapes.fields import Point, cover, frame
from wsss.data.shapes.parts import Figure
from wsss.data.shapes.plants import sunflower, thistle
from wsss.data.shapes.scenes import SCENES, Scene, rock, scene
from wsss.data.shapes.textures import mix, noise, smooth
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
AT_HOME = 0.65
"""How often a picture's first object stands in its habitat; else any landscape, so context tells but also lies."""

AREAS = {"fox": 0.85, "badger": 0.9, "bus": 1.4, "tram": 1.4, "sunflower": 1.05, "thistle": 1.0}
"""Nominal area of a figure in units squared, from which its scale follows."""

SHARES = {1: (0.14, 0.36), 2: (0.10, 0.22), 3: (0.08, 0.14)}
"""Share of the picture that one of n objects covers."""

LEAST_VISIBLE = 0.45
"""An object of which less is left to see is moved; one that stays hidden is left out."""


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
    pixels = land.pixels
    owner = np.zeros(shape, np.int64)
    placed: list[tuple[str, int]] = []
    stage = sorted(((_stand(draws, land, name, slot, len(names)), name) for slot, name in enumerate(names)), key=_base)
    for (centre, scale), name in stage:
        figure = _draw(draws, land, name, centre, scale, shape)
        solid = figure.cover > 0.5
        whole = int(solid.sum())
        hides = any(
            int(((owner == n) & ~solid).sum()) < LEAST_VISIBLE * first for n, (_, first) in enumerate(placed, 1)
        )
        if hides or whole < 0.5 * AREAS[name] * scale * scale:
            continue
        pixels = mix(_shadow(pixels, centre, scale), figure.colour, figure.cover)
        placed.append((name, whole))
        owner[solid] = len(placed)
    pixels, owner = _foreground(draws, land, pixels, owner)
    return _develop(draws, pixels, owner, [name for name, _ in placed])


def _cast(draws: Draws, first: str) -> list[str]:
    """One to three classes, now and then one of them twice, at most three objects."""
    names = [first]
    others = [name for name in CLASSES if name != first]
    for _ in range(draws.pick([0, 1, 2], [5, 3.5, 1.5])):
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


def _base(entry: tuple[tuple[Point, float], str]) -> float:
    """The row an object stands on: nearer objects are painted later."""
    ((_, y), scale), _ = entry
    return y + 0.5 * scale


def _draw(draws: Draws, land: Scene, name: str, centre: Point, scale: float, shape: tuple[int, int]) -> Figure:
    tilt = draws.between(-0.1, 0.1)
    f = frame(
        shape, centre, scale, tilt=tilt, mirrored=draws.chance(0.5), squeeze=draws.between(0.75, 1.0)
    )
    return FIGURES[name](draws, f, land.sun)


def _shadow(pixels: np.ndarray, centre: Point, scale: float) -> np.ndarray:
    """The ground under an object is darker."""
    f = frame(pixels.shape[:2], (centre[0], centre[1] + 0.55 * scale), scale)
    distance = f.u * f.u + 9 * f.v * f.v
    return pixels * (1 - 0.45 * smooth(distance, 1.0, 0.1))[..., None]


def _foreground(
    draws: Draws, land: Scene, pixels: np.ndarray, owner: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    return pixels, owner


def _develop(draws: Draws, pixels: np.ndarray, owner: np.ndarray, names: list[str]) -> Picture:
    """Exposure, a colour cast and the sensor's noise; then the mask with its void border."""
    shape = owner.shape
    exposure = draws.between(0.82, 1.1)
    cast = np.array([exposure * draws.between(0.93, 1.07) for _ in range(3)])
    grain = draws.table(*shape, 3) + draws.table(*shape, 3) - 1
    pixels = np.clip(pixels * cast + grain * draws.between(0.01, 0.05), 0, 1)
    value = np.array([0, *(CLASSES.index(name) + 1 for name in names)], np.uint8)
    things = []
    for number, name in enumerate(names, 1):
        rows, columns = np.nonzero(owner == number)
        box = (int(columns.min()) + 1, int(rows.min()) + 1, int(columns.max()) + 1, int(rows.max()) + 1)
        things.append(Thing(name, box))
    return Picture(np.floor(pixels * 255 + 0.5).astype(np.uint8), _border(value[owner]), tuple(things))


def _border(mask: np.ndarray) -> np.ndarray:
    """Void where a pixel touches a higher class: a ring one pixel wide around each object."""
    highest = mask.copy()
    np.maximum(highest[1:], mask[:-1], out=highest[1:])
    np.maximum(highest[:-1], mask[1:], out=highest[:-1])
    np.maximum(highest[:, 1:], mask[:, :-1], out=highest[:, 1:])
    np.maximum(highest[:, :-1], mask[:, 1:], out=highest[:, :-1])
    return np.where(highest > mask, IGNORE, mask).astype(np.uint8)
