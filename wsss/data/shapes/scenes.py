"""Six kinds of landscapes, and the rocks in them."""

from dataclasses import dataclass

import numpy as np

from wsss.data.shapes.draws import Draws
from wsss.data.shapes.fields import Frame, cover, disc, frame, light, union
from wsss.data.shapes.textures import Color, cells, mix, noise, smooth, vary, wave


@dataclass(frozen=True)
class Scene:
    """A landscape: pixels (H, W, 3) in [0, 1], the row of its horizon, and the direction of the light."""

    kind: str
    pixels: np.ndarray
    horizon: float
    sun: tuple[float, float]


SCENES = ("meadow", "forest", "street", "snow", "dunes", "lake")


def scene(draws: Draws, kind: str, shape: tuple[int, int]) -> Scene:
    """Paint a landscape of one of SCENES on an image of `shape` (H, W)."""
    height, width = shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float64) + 0.5
    horizon = height * draws.between(0.12, 0.5)
    # perspective: ground coordinates shrink towards the horizon
    depth = np.clip((y - horizon) / (height - horizon), 0, 1)
    far = 1 / (0.3 + 0.7 * depth)
    across, along = (x - width / 2) * far / 10, 5 * (1 - 1 / (0.4 + depth)) * height / 20
    above = _ABOVE[kind](draws, x, y, horizon)
    ground = _GROUND[kind](draws, across, along)
    edge = (noise(draws, x / 14, y * 0, 3) - 0.5) * (10 if kind in ("meadow", "snow", "dunes") else 2)
    pixels = mix(above, ground, smooth(y - horizon - edge, -1, 1))
    if kind != "street" and draws.chance(0.6):
        pixels = _rocks(draws, pixels, horizon)
    sun = (draws.between(-0.9, 0.9), draws.between(-0.9, -0.3))
    return Scene(kind, np.clip(pixels, 0, 1), horizon, sun)


def _sky(draws: Draws, x: np.ndarray, y: np.ndarray, horizon: float) -> np.ndarray:
    top, low = draws.pick(
        [
            ((0.25, 0.47, 0.80), (0.75, 0.85, 0.93)),
            ((0.42, 0.58, 0.78), (0.85, 0.88, 0.88)),
            ((0.55, 0.58, 0.63), (0.78, 0.79, 0.80)),
            ((0.38, 0.40, 0.60), (0.95, 0.72, 0.50)),
        ],
        [4, 3, 2, 1],
    )
    sky = mix(top, low, np.clip(y / horizon, 0, 1))
    clouds = smooth(noise(draws, x / 40, y / 18, 4), draws.between(0.42, 0.6), 0.8)
    return mix(sky, (0.95, 0.95, 0.95), clouds * 0.85)


def _hills(draws: Draws, x: np.ndarray, y: np.ndarray, horizon: float) -> np.ndarray:
    sky = _sky(draws, x, y, horizon)
    crest = horizon - horizon * draws.between(0.1, 0.6) * noise(draws, x / 35, y * 0, 3)
    woods = noise(draws, x / 5, y / 5, 3)
    color = vary(draws, (0.30, 0.40, 0.33), 0.08)
    hills = mix(color, (0.62, 0.70, 0.72), np.clip(0.2 + 0.5 * woods, 0, 1))
    return mix(sky, hills, smooth(y - crest, -1, 1))


def _woods(draws: Draws, x: np.ndarray, y: np.ndarray, horizon: float) -> np.ndarray:
    leaves = noise(draws, x / 9, y / 9, 4)
    wall = mix((0.05, 0.10, 0.05), vary(draws, (0.45, 0.58, 0.25), 0.08), smooth(leaves, 0.25, 0.85))
    sway = 2 * noise(draws, x / 30, y / 20, 2)
    for spacing, color in ((11.0, (0.16, 0.14, 0.10)), (23.0, (0.30, 0.24, 0.18))):
        place = (x + sway + draws.between(0, spacing)) / spacing
        trunk = smooth(wave(place), 0.72, 0.85) * smooth(noise(draws, np.floor(place), y * 0, 1), 0.35, 0.4)
        bark = noise(draws, x / 1.5, y / 6, 2)
        wall = mix(wall, mix(color, (0.45, 0.38, 0.30), bark * 0.6), trunk)
    return wall


def _wall(draws: Draws, x: np.ndarray, y: np.ndarray, horizon: float) -> np.ndarray:
    """Bricks, plaster or panels, with windows now and then."""
    wide, tall = draws.pick([(10.0, 4.5), (14.0, 6.0), (26.0, 40.0)])
    row = np.floor(y / tall)
    place = x / wide + row / 2
    tone = noise(draws, np.floor(place) * 3.1, row * 2.3, 1)
    color = draws.pick([(0.58, 0.30, 0.22), (0.66, 0.50, 0.38), (0.60, 0.60, 0.58), (0.72, 0.66, 0.52)])
    color = vary(draws, color, 0.07)
    red, green, blue = color
    wall = mix((red * 0.7, green * 0.7, blue * 0.7), (red * 1.15, green * 1.15, blue * 1.15), tone)
    gap = np.maximum(
        smooth(np.abs(place - np.floor(place) - 0.5), 0.5 - 0.9 / wide, 0.5 - 0.4 / wide),
        smooth(np.abs(y / tall - row - 0.5), 0.5 - 0.9 / tall, 0.5 - 0.4 / tall),
    )
    wall = mix(wall, vary(draws, (0.70, 0.68, 0.64), 0.1), gap * 0.7)
    wall = wall * (0.75 + 0.5 * noise(draws, x / 22, y / 22, 3))[..., None]
    if draws.chance(0.6):
        step = draws.between(30, 48)
        u = np.abs((x + draws.between(0, step)) / step % 1 - 0.5) * step
        v = np.abs(y - horizon * draws.between(0.25, 0.5)) - horizon * 0.2
        inside = smooth(np.maximum(u - step * 0.22, v), 0.8, -0.8)
        frame_ = smooth(np.maximum(u - step * 0.28, v - 2), 0.8, -0.8)
        glass = mix(
            (0.12, 0.16, 0.20), (0.55, 0.65, 0.72), smooth(noise(draws, (x + y) / 16, y / 30, 2), 0.3, 0.8)
        )
        wall = mix(mix(wall, (0.80, 0.78, 0.72), frame_), glass, inside)
    return wall


def _grass(draws: Draws, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    patches = noise(draws, across / 3, along / 3, 3)
    blades = noise(draws, across * 4, along * 1.3, 2)
    dark = vary(draws, (0.16, 0.30, 0.08), 0.04)
    pale = vary(draws, draws.pick([(0.48, 0.62, 0.22), (0.62, 0.62, 0.30), (0.40, 0.60, 0.28)]), 0.05)
    grass = mix(dark, pale, np.clip(0.15 + 0.45 * patches + 0.75 * (blades - 0.5) + 0.2, 0, 1))
    if draws.chance(0.4):
        near, _, tone = cells(draws, across * 1.4, along * 1.4)
        bloom = draws.pick([(0.95, 0.95, 0.90), (0.95, 0.85, 0.30), (0.75, 0.60, 0.85)])
        grass = mix(grass, bloom, smooth(near, 0.16, 0.08) * (tone < 0.5))
    return grass


def _litter(draws: Draws, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    near, second, tone = cells(draws, across * 1.6, along * 2.2)
    leaf = mix(vary(draws, (0.30, 0.20, 0.10), 0.04), vary(draws, (0.62, 0.42, 0.20), 0.06), tone)
    leaf = leaf * (0.55 + 0.45 * smooth(second - near, 0, 0.35))[..., None]
    moss = smooth(noise(draws, across / 2.5, along / 2.5, 3), 0.5, 0.7)
    return mix(leaf, (0.25, 0.34, 0.12), moss * 0.8)


def _paving(draws: Draws, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    speckle = noise(draws, across * 5, along * 5, 2)
    stain = noise(draws, across / 3, along / 3, 3)
    color = vary(draws, draws.pick([(0.36, 0.36, 0.38), (0.55, 0.53, 0.50)]), 0.05)
    ground = np.asarray(color) * (0.7 + 0.35 * stain + 0.35 * speckle)[..., None]
    if draws.chance(0.5):
        row = np.floor(along / 2)
        place = across / 3 + row / 2
        seam = np.maximum(
            smooth(np.abs(along / 2 - row - 0.5), 0.44, 0.49),
            smooth(np.abs(place - np.floor(place) - 0.5), 0.46, 0.49),
        )
        ground = ground * (1 - 0.45 * seam)[..., None]
    elif draws.chance(0.6):
        line = smooth(np.abs(along - draws.between(-6, 3)), 0.5, 0.35)
        ground = mix(ground, (0.88, 0.86, 0.78), line * smooth(wave(across / 8), 0.4, 0.5))
    return ground


def _snow(draws: Draws, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    drift = noise(draws, across / 3, along / 1.5, 4)
    snow = mix((0.62, 0.70, 0.82), (0.97, 0.97, 0.98), smooth(drift, 0.2, 0.7))
    blades = noise(draws, across * 4, along * 1.2, 2)
    tufts = smooth(noise(draws, across / 2, along / 2, 2), 0.6, 0.75) * smooth(blades, 0.5, 0.6)
    return mix(snow, (0.45, 0.42, 0.28), tufts * 0.8)


def _sand(draws: Draws, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    bend = 1.5 * noise(draws, across / 4, along / 4, 3)
    ripple = wave(along * 0.7 + across * draws.between(-0.15, 0.15) + bend)
    grain = noise(draws, across * 6, along * 6, 1)
    light_ = vary(draws, (0.86, 0.76, 0.56), 0.05)
    sand = mix((0.62, 0.50, 0.34), light_, np.clip(0.3 + 0.5 * ripple + 0.4 * (grain - 0.5), 0, 1))
    tufts = smooth(noise(draws, across / 1.5, along / 1.5, 3), 0.62, 0.74)
    blades = noise(draws, across * 4, along * 1.2, 2)
    return mix(sand, (0.42, 0.48, 0.22), tufts * smooth(blades, 0.35, 0.55))


def _water(draws: Draws, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    swell = noise(draws, across / 2.5, along * 1.1, 4)
    deep = vary(draws, draws.pick([(0.08, 0.25, 0.38), (0.10, 0.30, 0.28), (0.20, 0.26, 0.32)]), 0.03)
    water = mix(deep, (0.55, 0.70, 0.78), smooth(swell, 0.25, 0.85))
    return mix(water, (0.95, 0.97, 0.98), smooth(swell, 0.68, 0.8) * 0.7)


_ABOVE = {"meadow": _hills, "forest": _woods, "street": _wall, "snow": _hills, "dunes": _sky, "lake": _hills}
_GROUND = {
    "meadow": _grass,
    "forest": _litter,
    "street": _paving,
    "snow": _snow,
    "dunes": _sand,
    "lake": _water,
}


def _rocks(draws: Draws, pixels: np.ndarray, horizon: float) -> np.ndarray:
    for _ in range(draws.whole(1, 3)):
        x = draws.between(0, pixels.shape[1])
        y = draws.between(horizon + 3, pixels.shape[0])
        f = frame(pixels.shape[:2], (x, y), draws.between(4, 11))
        color, field = rock(draws, f)
        pixels = mix(pixels, color, cover(field, f.scale))
    return pixels


def rock(draws: Draws, f: Frame) -> tuple[np.ndarray, np.ndarray]:
    """A boulder about one unit in radius: colors (H, W, 3) and field."""
    rough = noise(draws, f.u * 2 + 9, f.v * 2 + 9, 3)
    field = union(
        disc(f, (0, 0.1), 0.75), disc(f, (draws.between(-0.6, 0.6), 0.3), draws.between(0.4, 0.7)), soft=0.4
    )
    field = np.maximum(field + (rough - 0.5) * 0.4, f.v - 0.7)
    base: Color = vary(draws, draws.pick([(0.50, 0.50, 0.48), (0.55, 0.48, 0.40), (0.36, 0.38, 0.40)]), 0.05)
    tone = noise(draws, f.u * 5 + 3, f.v * 5 + 3, 3)
    color = (
        np.asarray(base) * (0.6 + 0.8 * tone)[..., None] * light(field, f.scale, 0.6, (-0.3, -0.7))[..., None]
    )
    return np.clip(color, 0, 1), field
