"""Procedural textures: noise of several octaves, cells, ramps of color."""

import numpy as np

from wsss.data.shapes.draws import Draws

Color = tuple[float, float, float]

_SIDE = 32


def smooth(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """A soft step from 0 at `low` to 1 at `high` (either may be the larger)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def noise(draws: Draws, x: np.ndarray, y: np.ndarray, octaves: int = 3) -> np.ndarray:
    """Value noise in [0, 1] at (x, y); features of the first octave are about 1 wide."""
    table = draws.table(_SIDE, _SIDE)
    total = np.zeros_like(x)
    weight, weights = 1.0, 0.0
    for octave in range(octaves):
        shift = 7.3 * octave
        total = total + weight * _lattice(table, x + shift, y + 1.7 * shift)
        weights += weight
        weight /= 2
        x, y = x * 2, y * 2
    return total / weights


def _lattice(table: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    column, row = np.floor(x), np.floor(y)
    s, t = x - column, y - row
    s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
    left = column.astype(np.int64) % _SIDE
    top = row.astype(np.int64) % _SIDE
    right, bottom = (left + 1) % _SIDE, (top + 1) % _SIDE
    upper = table[top, left] * (1 - s) + table[top, right] * s
    lower = table[bottom, left] * (1 - s) + table[bottom, right] * s
    return upper * (1 - t) + lower * t


def cells(draws: Draws, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells around random points, one per unit square.

    Returns the distance to the nearest point, the distance to the second, and a value in [0, 1) that is
    constant over each cell.
    """
    offsets = draws.table(3, _SIDE, _SIDE)
    column, row = np.floor(x), np.floor(y)
    first = np.full_like(x, 9.0)
    second = np.full_like(x, 9.0)
    value = np.zeros_like(x)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            i = (row.astype(np.int64) + down) % _SIDE
            j = (column.astype(np.int64) + across) % _SIDE
            dx = column + across + offsets[0, i, j] - x
            dy = row + down + offsets[1, i, j] - y
            distance = dx * dx + dy * dy
            nearer = distance < first
            second = np.where(nearer, first, np.minimum(second, distance))
            value = np.where(nearer, offsets[2, i, j], value)
            first = np.where(nearer, distance, first)
    return np.sqrt(first), np.sqrt(second), value


def wave(x: np.ndarray) -> np.ndarray:
    """A rounded wave of period 1 in [0, 1]: a smoothed triangle, which needs no sine."""
    t = np.abs(2 * (x - np.floor(x)) - 1)
    return t * t * (3 - 2 * t)


def mix(low: Color | np.ndarray, high: Color | np.ndarray, share: np.ndarray) -> np.ndarray:
    """Colors (H, W, 3) between two, by a share (H, W) in [0, 1]."""
    share = share[..., None]
    return np.asarray(low) * (1 - share) + np.asarray(high) * share


def vary(draws: Draws, color: Color, by: float) -> Color:
    """The color made lighter or darker and shifted in hue, each by at most `by`."""
    bright = draws.between(-by, by)
    red, green, blue = (min(max(c + bright + draws.between(-by, by) / 2, 0.02), 0.98) for c in color)
    return red, green, blue


def foliage(
    draws: Draws, x: np.ndarray, y: np.ndarray, breadth: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pointed leaves that overlap at all angles, one per unit square and about one unit long.

    breadth: width over length. Returns coverage, brightness and the middle rib, each in [0, 1].
    """
    table = draws.table(4, _SIDE, _SIDE)
    turn = table[2] * 2 - 1
    cosines = (1 - turn * turn) / (1 + turn * turn)
    sines = 2 * turn / (1 + turn * turn)
    column, row = np.floor(x), np.floor(y)
    top = np.zeros_like(x)
    tone = np.zeros_like(x)
    rib = np.zeros_like(x)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            i = (row.astype(np.int64) + down) % _SIDE
            j = (column.astype(np.int64) + across) % _SIDE
            dx = x - (column + across + 0.2 + 0.6 * table[0, i, j])
            dy = y - (row + down + 0.2 + 0.6 * table[1, i, j])
            along = (dx * cosines[i, j] + dy * sines[i, j]) / 0.85
            aside = (dy * cosines[i, j] - dx * sines[i, j]) / (0.85 * breadth)
            edge = 1 - along * along
            order = 0.05 + 0.95 * table[3, i, j]
            upper = (np.abs(aside) < edge) & (order > top)
            top = np.where(upper, order, top)
            # the half of a leaf that faces up is the brighter one
            tone = np.where(upper, np.clip(0.6 * order + 0.2 - 0.3 * aside, 0, 1), tone)
            rib = np.where(upper, np.abs(aside) < 0.16, rib)
    return (top > 0).astype(np.float64), tone, rib
