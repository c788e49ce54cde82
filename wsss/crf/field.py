"""The random field of one image: its filters are built once and serve any number of inferences."""

import math
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import numpy as np

from wsss.crf import native
from wsss.errors import UserError

#: pixels up to which the filter of positions, which depends on the size alone, is kept for the next image
KEPT_PIXELS = 2_000_000
#: pixels of the largest image; vertices of its filter are numbered with 31 bits
MOST_PIXELS = 2**31 // 6
#: filters of colors that a field keeps: one for each pair of widths
KEPT_FILTERS = 2


@dataclass(frozen=True)
class Kernels:
    """Widths and weights of the two Gaussian kernels, of position and of position with color.

    sxy in pixels, srgb in gray levels.
    """

    position_sxy: float
    position_weight: float
    color_sxy: float
    color_srgb: float
    color_weight: float


class Field:
    """The random field of an image, for inferences that differ in unaries, labels or iterations.

    image: (H, W, 3) uint8 RGB, any memory layout; it is copied where it is not contiguous, and must not be
    changed while the field is in use. threads: of one inference; results do not depend on them. Filters are
    built by the first inference that needs them: 80 bytes per pixel, and for the vertices of a photograph's
    filters 17 to 72 (of noise up to 360); with several threads 72 more, and 8 per vertex. An inference takes
    8 bytes per label and vertex beside its energies and its result, at most 256 MB of copied energies, and
    with several threads 4 bytes per label and pixel. Fields may be used by several threads at once.
    Raises UserError for what is no image.
    """

    def __init__(self, image: np.ndarray, *, threads: int = 1) -> None:
        self.image = _checked_image(image)
        if threads < 1:
            raise UserError(f"CRF: threads {threads}: at least 1 is needed")
        self.threads = threads
        self._filters: dict[tuple[float, float], native.Lattice] = {}
        self._lock = Lock()

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.image.shape[0], self.image.shape[1]

    def infer(self, unary: np.ndarray, kernels: Kernels, iterations: int, *, copies: int = 1) -> np.ndarray:
        """Approximate marginals with Potts compatibility and symmetric normalization of the kernels.

        unary: (L, H, W) energies, -log of the probabilities; finite. Starts from softmax(-unary) and takes
        `iterations` mean-field steps (algorithm 1 of the paper), 0 or more. copies: how many labels with the
        same energies the last one stands for; the result is then the marginal of each. Returns (L, H, W)
        float32, sum 1 per pixel. Raises UserError for shapes and values that make no sense, and where memory
        does not suffice.
        """
        unary = self._checked_unary(unary)
        _check_kernels(kernels)
        if iterations < 0 or copies < 1:
            raise UserError(f"CRF: iterations {iterations}, copies {copies}: at least 0 and 1 are needed")
        if len(unary) == 1:
            return np.full(unary.shape, 1 / copies, np.float32)
        if len(unary) == 2 and copies > 1:
            raise UserError("CRF: copies of the last label need two other labels")
        color = self._color_filter(kernels.color_sxy, kernels.color_srgb)
        position = _position_filter(*self.size, kernels.position_sxy)
        weights = kernels.color_weight, kernels.position_weight
        return native.infer(color, position, unary, weights, iterations, copies, self.threads)

    def _color_filter(self, sxy: float, srgb: float) -> native.Lattice:
        with self._lock:
            if (sxy, srgb) not in self._filters:
                if len(self._filters) == KEPT_FILTERS:
                    del self._filters[next(iter(self._filters))]
                self._filters[sxy, srgb] = native.color_lattice(self.image, sxy, srgb)
            return self._filters[sxy, srgb]

    def _checked_unary(self, unary: np.ndarray) -> np.ndarray:
        unary = np.asarray(unary)
        if unary.ndim != 3 or not np.issubdtype(unary.dtype, np.floating):
            raise UserError(f"CRF: unary {unary.shape} of {unary.dtype}: (L, H, W) of floats is needed")
        if unary.shape[1:] != self.size:
            raise UserError(f"CRF: maps {unary.shape[1:]} on an image of {self.size}: sizes must agree")
        if len(unary) == 0:
            raise UserError("CRF: unary of no labels: at least 1 is needed")
        with np.errstate(over="ignore"):
            unary = np.require(unary, np.float32, ["C", "A"])
        # a NaN or an infinity among them shows in the least or the greatest
        if not (math.isfinite(unary.min()) and math.isfinite(unary.max())):
            raise UserError("CRF: unary not finite (clip the probabilities before their logarithm)")
        return unary


def mean_field(image: np.ndarray, unary: np.ndarray, kernels: Kernels, iterations: int) -> np.ndarray:
    """`Field(image).infer(unary, kernels, iterations)`, for a single inference of an image."""
    return Field(image).infer(unary, kernels, iterations)


def _position_filter(height: int, width: int, sxy: float) -> native.Lattice:
    build = _kept_position_filter if height * width <= KEPT_PIXELS else native.position_lattice
    return build(height, width, sxy)


@lru_cache(maxsize=2)
def _kept_position_filter(height: int, width: int, sxy: float) -> native.Lattice:
    return native.position_lattice(height, width, sxy)


def _checked_image(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise UserError(f"CRF: image {image.shape} of {image.dtype}: (H, W, 3) of uint8 is needed")
    if image.size == 0:
        raise UserError(f"CRF: image {image.shape}: it has no pixels")
    if image.shape[0] * image.shape[1] > MOST_PIXELS:
        raise UserError(
            f"CRF: image {image.shape}: at most {MOST_PIXELS} pixels are allowed; make it smaller"
        )
    return np.ascontiguousarray(image)


def _check_kernels(kernels: Kernels) -> None:
    widths = kernels.position_sxy, kernels.color_sxy, kernels.color_srgb
    if not all(0 < width < math.inf for width in widths):
        raise UserError(f"CRF: {kernels}: widths are positive numbers")
    if not all(0 <= weight < math.inf for weight in (kernels.position_weight, kernels.color_weight)):
        raise UserError(f"CRF: {kernels}: weights are numbers from 0 on")
