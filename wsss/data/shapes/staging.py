"""The objects of an image, their sizes and positions: what makes the data set hard or easy."""

from dataclasses import dataclass

import numpy as np

from wsss.data.shapes.animals import badger, fox
from wsss.data.shapes.draws import Draws
from wsss.data.shapes.fields import Point, frame
from wsss.data.shapes.parts import Figure
from wsss.data.shapes.plants import sunflower, thistle
from wsss.data.shapes.scenes import SCENES, Scene
from wsss.data.shapes.vehicles import bus, tram

FIGURES = {"fox": fox, "badger": badger, "bus": bus, "tram": tram, "sunflower": sunflower, "thistle": thistle}
CLASSES = tuple(FIGURES)

HABITATS = {"fox": "meadow", "bus": "street", "tram": "street", "thistle": "dunes"}
AT_HOME = 0.4
"""Probability that the first object is in its habitat; otherwise the landscape is random."""

COMPANY = {0: 6.0, 1: 3.0, 2: 1.0}
"""Weights of the number of other classes beside the first."""

TWIN = 0.2
"""Probability of two objects of one class."""

SHARES = {1: (0.34, 0.56), 2: (0.22, 0.34), 3: (0.14, 0.2)}
"""Share of the image that one of n objects covers, before it is cut off or occluded."""

HIDDEN = 0.12
"""Probability that the distinctive part of an object is not drawn."""

CUT = 0.1
"""Probability that the distinctive end of an object may be outside of the image."""


@dataclass(frozen=True)
class Build:
    """A figure's nominal area in square units, its extent forward and upward, and its largest tilt.

    lean: tan of half the angle.
    """

    area: float
    front: float
    top: float
    lean: float


BUILDS = {
    "fox": Build(0.95, 0.8, 0.5, 0.08),
    "badger": Build(1.0, 0.8, 0.4, 0.08),
    "bus": Build(1.4, 0.9, 0.42, 0.025),
    "tram": Build(1.4, 1.0, 0.42, 0.025),
    "sunflower": Build(1.3, 0.75, 0.75, 0.06),
    "thistle": Build(1.25, 0.75, 0.7, 0.06),
}


@dataclass(frozen=True)
class Pose:
    """The position of an object. center: (x, y) in pixels; scale: pixels per unit; see fields.frame."""

    name: str
    center: Point
    scale: float
    mirrored: bool
    squeeze: float
    lean: float

    @property
    def area(self) -> float:
        """About how many pixels it covers."""
        return BUILDS[self.name].area * self.scale * self.scale * self.squeeze

    @property
    def foot(self) -> float:
        """The row it stands on."""
        return self.center[1] + 0.55 * self.scale


def cast(draws: Draws, first: str) -> list[str]:
    """The names of one to three objects, the first of which is given."""
    names = [first]
    others = [name for name in CLASSES if name != first]
    for _ in range(draws.pick(list(COMPANY), list(COMPANY.values()))):
        name = draws.pick(others)
        others.remove(name)
        names.append(name)
    if len(names) < 3 and draws.chance(TWIN):
        names.append(names[-1])
    return names


def landscape(draws: Draws, first: str) -> str:
    """The kind of landscape of an image with this first object."""
    if first in HABITATS and draws.chance(AT_HOME):
        return HABITATS[first]
    return draws.pick(SCENES)


def stand(draws: Draws, land: Scene, name: str, slot: int, count: int) -> Pose:
    """The pose of the object in the slot-th of `count` places, from left to right."""
    height, width = land.pixels.shape[:2]
    build = BUILDS[name]
    low, high = SHARES[count]
    scale = float(np.sqrt(draws.between(low, high) * height * width / build.area))
    mirrored = draws.chance(0.5)
    squeeze = draws.between(0.75, 1.0)
    lean = draws.between(-build.lean, build.lean)
    x = width * (slot + draws.between(0.3, 0.7)) / count
    floor = max(land.horizon + 0.5 * scale, 0.55 * height)
    y = draws.between(min(floor, 0.8 * height), 0.95 * height) - 0.45 * scale
    if not draws.chance(CUT):
        reach = build.front * scale * squeeze
        x = max(x, 0.03 * width + reach) if mirrored else min(x, 0.97 * width - reach)
        y = max(y, 0.03 * height + build.top * scale)
    return Pose(name, (x, y), scale, mirrored, squeeze, lean)


def draw(draws: Draws, pose: Pose, center: Point, shape: tuple[int, int], sun: Point) -> Figure:
    """The object, alone, on a window of `shape` (H, W) in which its center is at `center` (x, y)."""
    f = frame(shape, center, pose.scale, tilt=pose.lean, mirrored=pose.mirrored, squeeze=pose.squeeze)
    return FIGURES[pose.name](draws, f, sun, draws.chance(HIDDEN))
