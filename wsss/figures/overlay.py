"""Maps laid over the photographs that they belong to: scores in colors of heat, labels in theirs."""

from collections.abc import Iterable

import cv2
import numpy as np

from wsss.data.index import Index
from wsss.data.palette import voc_palette
from wsss.figures.sheet import Color
from wsss.metrics import IGNORE

#: share of the colors that are laid over an image
COVER = 0.65
#: distance between two stripes of a hatching, px
HATCH = 6


def heat(image: np.ndarray, score: np.ndarray) -> np.ndarray:
    """A score map (h, w) in [0, 1] in colors, over a gray image (h, w, 3)."""
    colors = heat_colors(256)[(255 * score.clip(0, 1)).astype(np.uint8)]
    return (COVER * colors + (1 - COVER) * _gray(image)).astype(np.uint8)


def heat_colors(levels: int) -> np.ndarray:
    """Colors of scores from 0 to 1 in equal steps: uint8 (levels, 3), RGB."""
    steps = np.linspace(0, 255, levels).astype(np.uint8)
    return cv2.applyColorMap(steps, cv2.COLORMAP_INFERNO).reshape(-1, 3)[:, ::-1]


def colored(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The classes of a label map (h, w) in their colors, over a gray image; the background stays bare."""
    gray = _gray(image)
    mixed = COVER * voc_palette()[labels] + (1 - COVER) * gray
    return np.where(labels[..., None] > 0, mixed, gray).astype(np.uint8)


def hatched(picture: np.ndarray, where: np.ndarray) -> np.ndarray:
    """A picture (h, w, 3) with stripes in the color of ignored pixels where `where` (h, w) is true."""
    striped = where & stripes((where.shape[0], where.shape[1]), HATCH)
    return np.where(striped[..., None], voc_palette()[IGNORE], picture).astype(np.uint8)


def stripes(shape: tuple[int, int], distance: int, *, slope: int = 1) -> np.ndarray:
    """Diagonal stripes, bool (H, W), `distance` pixels apart and a third of that wide; slope: 1 or -1."""
    rows, columns = np.indices(shape)
    return (rows + slope * columns) % distance < distance // 3


def legend(index: Index, names: Iterable[str]) -> list[tuple[str, Color]]:
    """Those of the index's classes that are named, with their colors, and that of ignored pixels."""
    seen = set(names)
    named = {name: c + 1 for c, name in enumerate(index.classes) if name in seen} | {"ignored": IGNORE}
    red, green, blue = voc_palette().T.tolist()
    return [(name, (red[value], green[value], blue[value])) for name, value in named.items()]


def _gray(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2)
