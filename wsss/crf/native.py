"""The compiled library: the build that suits the processor, and its functions for NumPy arrays."""

import ctypes
import weakref
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_int64, c_void_p
from functools import cache

import numpy as np

from wsss.crf import build
from wsss.errors import UserError

#: what the library's functions return where they fail (`Status` in cpp/interface.cpp)
FAILURES = {
    1: "not enough memory",
    2: "the image is too large for kernels as narrow as these",
    3: "the inference failed",
}
AGAIN = f"Install the package again, or in its repository run: {build.COMMAND}"


class Lattice:
    """A filter that the library has built; it is immutable, and freed with this object."""

    def __init__(self, kind: str, handle: c_void_p) -> None:
        self.handle = handle
        self.vertices = int(getattr(library(), f"crf_{kind}_vertices")(handle))
        weakref.finalize(self, getattr(library(), f"crf_free_{kind}_lattice"), handle)


@cache
def library() -> ctypes.CDLL:
    """The library, loaded. Raises UserError where it is not built, or from other sources than are here."""
    plain = _opened(build.LEVELS[0])
    if plain.crf_sources().decode() != build.digest():
        raise UserError(f"CRF: {build.path(build.LEVELS[0])} was built from other sources. {AGAIN}")
    levels = [level for level in build.LEVELS[: plain.crf_processor() + 1] if build.path(level).exists()]
    return plain if len(levels) == 1 else _opened(levels[-1])


def color_lattice(image: np.ndarray, sxy: float, srgb: float) -> Lattice:
    """The filter of position and color of an image (H, W, 3), uint8 and contiguous."""
    handle = c_void_p()
    height, width = image.shape[:2]
    _check(
        library().crf_color_lattice(image.ctypes.data, height, width, sxy, srgb, byref(handle)), width, height
    )
    return Lattice("color", handle)


def position_lattice(height: int, width: int, sxy: float) -> Lattice:
    """The filter of position of images of a size."""
    handle = c_void_p()
    _check(library().crf_position_lattice(height, width, sxy, byref(handle)), width, height)
    return Lattice("position", handle)


def infer(
    color: Lattice,
    position: Lattice,
    unary: np.ndarray,
    weights: tuple[float, float],
    iterations: int,
    copies: int,
    threads: int,
) -> np.ndarray:
    """Marginals (L, H, W), float32, of energies (L, H, W), float32 and contiguous, L at least 2."""
    labels, height, width = unary.shape
    try:
        marginals = np.empty(unary.shape, np.float32)
    except MemoryError:
        raise UserError(_message(1, width, height)) from None
    status = library().crf_infer(
        color.handle,
        position.handle,
        unary.ctypes.data,
        marginals.ctypes.data,
        labels,
        copies,
        *weights,
        iterations,
        threads,
    )
    _check(status, width, height)
    return marginals


def _check(status: int, width: int, height: int) -> None:
    if status:
        raise UserError(_message(status, width, height))


def _message(status: int, width: int, height: int) -> str:
    return f"CRF of {width} x {height} pixels: {FAILURES[status]}; make the image smaller"


def _opened(level: str) -> ctypes.CDLL:
    path = build.path(level)
    try:
        opened = ctypes.CDLL(str(path))
    except OSError as error:
        raise UserError(f"CRF: the library cannot be loaded ({error}). {AGAIN}") from None
    handle, real = c_void_p, c_float
    signatures = {
        "crf_sources": (c_char_p, []),
        "crf_processor": (c_int, []),
        "crf_color_lattice": (c_int, [handle, c_int, c_int, real, real, POINTER(handle)]),
        "crf_position_lattice": (c_int, [c_int, c_int, real, POINTER(handle)]),
        "crf_free_color_lattice": (None, [handle]),
        "crf_free_position_lattice": (None, [handle]),
        "crf_color_vertices": (c_int64, [handle]),
        "crf_position_vertices": (c_int64, [handle]),
        "crf_infer": (c_int, [handle, handle, handle, handle, c_int, c_int, real, real, c_int, c_int]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(opened, name)
        function.restype, function.argtypes = result, arguments
    return opened
