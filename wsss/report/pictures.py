"""Pictures small enough to be embedded: a photograph once, and over it maps in a few transparent colors.

What lies over a photograph is a palette PNG of a kilobyte or two, which stays sharp when it is enlarged.
"""

import base64
import io

import numpy as np
from PIL import Image

from wsss.data.palette import voc_palette
from wsss.figures.overlay import heat_colors, stripes
from wsss.figures.sheet import resize, resize_labels, size_within
from wsss.metrics import IGNORE

#: longest side of a picture and of a map of scores, px
SIDE, SCORE_SIDE = 400, 144
#: steps that a score is told in, and how much of a photograph a class covers, of 255
LEVELS, COVER = 48, 178
#: what an error is, in the palette of an error map, and its color; 0 is right
ERRORS = {
    "missed": (1, (0, 114, 178)),
    "too much": (2, (213, 94, 0)),
    "wrong class": (3, (204, 64, 150)),
    "ignored": (4, (150, 150, 140)),
}
#: distance of two stripes, px
STRIPE = 8


def photograph(image: np.ndarray) -> str:
    """A photograph (H, W, 3) as data URI. A small one is not enlarged."""
    size = min(_size(image.shape), (image.shape[0], image.shape[1]))
    return _uri(Image.fromarray(resize(image, size)), "WEBP", quality=78, method=4)


def labels(values: np.ndarray) -> str:
    """A label map (H, W) in the data set's colors, the background clear, what is ignored hatched."""
    small = resize_labels(values, _size(values.shape))
    shown = np.where((small == IGNORE) & ~_stripes(small.shape, 1), 0, small)
    alpha = np.full(256, COVER, np.uint8)
    alpha[0] = 0
    return _paletted(shown, voc_palette(), alpha)


def score(values: np.ndarray) -> str:
    """A score map (H, W) in [0, 1] in colors of heat; the lower, the clearer."""
    return _paletted(_levels(values, LEVELS), heat_colors(LEVELS), np.linspace(40, 225, LEVELS))


def scores_of_classes(values: np.ndarray, keys: np.ndarray) -> str:
    """Score maps (K, H, W): the winning class's color, strong where its score is high. keys: of classes."""
    each = min(LEVELS, 256 // max(1, len(values)))
    if not len(values):
        return _paletted(np.zeros(_size(values.shape[1:]), np.uint8), voc_palette(), np.zeros(256))
    winner = values.argmax(0).astype(np.uint8)
    best = _levels(values.max(0), each)
    shown = resize_labels(winner, (best.shape[0], best.shape[1])) * np.uint8(each) + best
    colors = voc_palette()[keys[1:]].repeat(each, axis=0)
    return _paletted(shown, colors, np.tile(np.linspace(0, 235, each), len(values)))


def errors(prediction: np.ndarray, mask: np.ndarray) -> tuple[str, dict[str, float]]:
    """Where a prediction differs from a mask, each kind of error with stripes of its own; and its share."""
    kinds = np.zeros(mask.shape, np.uint8)
    differs = (prediction != mask) & (mask != IGNORE)
    kinds[differs & (prediction == 0)] = ERRORS["missed"][0]
    kinds[differs & (mask == 0)] = ERRORS["too much"][0]
    kinds[differs & (mask != 0) & (prediction != 0)] = ERRORS["wrong class"][0]
    kinds[mask == IGNORE] = ERRORS["ignored"][0]
    shares = {name: 100 * float((kinds == value).mean()) for name, (value, _) in ERRORS.items()}
    small = resize_labels(kinds, _size(mask.shape))
    down, up = _stripes(small.shape, 1), _stripes(small.shape, -1)
    strong = np.select([small == 1, small == 2, small == 3], [down, up, down | up], _stripes(small.shape, 1))
    colors, alpha = np.zeros((256, 3), np.uint8), np.zeros(256)
    for value, color in ERRORS.values():
        colors[[value, value + 8]] = color
        alpha[[value, value + 8]] = 235, 120
    alpha[ERRORS["ignored"][0] + 8] = 0
    return _paletted(np.where(strong | (small == 0), small, small + 8), colors, alpha), shares


def _size(shape: tuple[int, ...]) -> tuple[int, int]:
    return size_within((shape[0], shape[1]), SIDE)


def _stripes(shape: tuple[int, ...], slope: int) -> np.ndarray:
    return stripes((shape[0], shape[1]), STRIPE, slope=slope)


def _levels(values: np.ndarray, count: int) -> np.ndarray:
    small = resize(values.astype(np.float32), size_within((values.shape[0], values.shape[1]), SCORE_SIDE))
    return (small.clip(0, 1) * (count - 1)).round().astype(np.uint8)


def _paletted(values: np.ndarray, colors: np.ndarray, alpha: np.ndarray) -> str:
    image = Image.fromarray(values.astype(np.uint8))
    image.putpalette(colors.astype(np.uint8).tobytes())
    return _uri(image, "PNG", transparency=alpha.astype(np.uint8).tobytes(), optimize=True)


def _uri(image: Image.Image, kind: str, **options: object) -> str:
    written = io.BytesIO()
    image.save(written, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(written.getvalue()).decode()}"
