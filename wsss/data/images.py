"""One way to read a photograph, so that every stage sees the same pixels: RGB, turned as viewers show it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.ExifTags import Base

from wsss.errors import UserError

_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
_PNG, _CHUNK = b"\x89PNG\r\n\x1a\n", 8
#: ISO media brands of HEIC, at byte 4 of a file whatever it is called
_HEIC = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1")
#: EXIF orientation (TIFF 6.0, tag 274) -> what makes the stored pixels upright
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

if find_spec("pillow_heif") is not None:
    import_module("pillow_heif").register_heif_opener()


@dataclass(frozen=True)
class Header:
    """What a photograph's header says. size: (H, W) of the stored pixels. orientation: EXIF's, 1 for none."""

    size: tuple[int, int]
    orientation: int

    @property
    def upright(self) -> tuple[int, int]:
        """(H, W) of the photograph as viewers show it."""
        return self.size[::-1] if self.orientation >= 5 else self.size


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """An image, not decoded yet. Raises UserError naming the file when it is missing or does not open."""
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError:
        raise UserError(f"{path}: no such image; restore it, or take it out of its list") from None
    except _UNREADABLE as error:
        raise UserError(f"{path}: image does not open ({_why(path, error)}); replace it") from None


@contextmanager
def _decoding(path: str | Path) -> Iterator[None]:
    """Raise UserError naming the file where its pixels do not decode."""
    try:
        yield
    except _UNREADABLE as error:
        raise UserError(f"{path}: image does not decode ({error}); replace it") from None


def read_image(path: str | Path) -> Image.Image:
    """Decode an image as 8-bit RGB, turned as its EXIF orientation says.

    Gray, palette, CMYK and alpha images are converted (alpha is dropped), 16-bit gray keeps its upper eight
    bits; of an animation it is the first frame. Raises UserError naming the file when it is missing,
    truncated or of a kind with no 8-bit meaning.
    """
    with _opened(path) as image:
        orientation = _header(image, path).orientation
        turn = None if image.format == "TIFF" else TURNS.get(orientation)  # Pillow turns those itself
        with _decoding(path):
            image.load()
            pixels = _eight_bits(image, path)
    turned = pixels if turn is None else pixels.transpose(turn)
    turned.info = {}  # the orientation is applied: whoever looks again must not find it
    return turned


def read_header(path: str | Path) -> Header:
    """The size and orientation of an image, without its pixels. Raises UserError naming the file."""
    with _opened(path) as image:
        return _header(image, path)


def image_size(path: str | Path) -> tuple[int, int]:
    """(H, W) of an image as `read_image` gives it, from its header. Raises UserError naming the file."""
    return read_header(path).upright


def check_image(path: str | Path) -> Header:
    """The header of an image that decodes whole; a JPEG at an eighth of its size, which reads all its data.

    Raises UserError where `read_image` would.
    """
    with _opened(path) as image:
        header = _header(image, path)
        with _decoding(path):
            image.draft(None, (1, 1))
            image.load()
            if image.mode in ("I", "F") or image.mode.startswith("I;"):
                _eight_bits(image, path)
        return header


def _header(image: Image.Image, path: str | Path) -> Header:
    # The base class's method: that of PNG decodes all pixels to find what may stand behind them.
    exif = Image.Image.getexif(image)
    if image.format == "PNG" and "exif" not in image.info and (behind := _exif_behind_pixels(path)):
        exif.load(b"Exif\0\0" + behind)
    orientation = exif.get(Base.Orientation, 1)
    if not isinstance(orientation, int) or orientation not in TURNS:
        orientation = 1
    size = (image.height, image.width)
    return Header(size[::-1] if image.format == "TIFF" and orientation >= 5 else size, orientation)


def _exif_behind_pixels(path: str | Path) -> bytes:
    """The contents of a PNG's eXIf chunk, wherever it stands (PNG specification, third edition, 11.3.4.4)."""
    with open(path, "rb") as file:
        if file.read(len(_PNG)) != _PNG:
            return b""
        while len(head := file.read(_CHUNK)) == _CHUNK:
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            if kind == b"eXIf":
                return file.read(length)
            file.seek(length + 4, 1)
    return b""


def _eight_bits(image: Image.Image, path: str | Path) -> Image.Image:
    if image.mode not in ("I", "F") and not image.mode.startswith("I;"):
        return image.convert("RGB")
    pixels = np.asarray(image)
    if pixels.dtype.kind == "f" or pixels.min() < 0 or pixels.max() > 65535:
        raise UserError(f"{path}: image has mode {image.mode}; allowed are 8-bit images and 16-bit gray")
    return Image.fromarray((pixels.astype(np.uint32) >> 8).astype(np.uint8)).convert("RGB")


def _why(path: str | Path, error: Exception) -> str:
    """What is known of a file that Pillow does not open."""
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return str(error)
    if not start:
        return "the file is empty"
    return "HEIC: not read; install pillow-heif" if start[4:] in _HEIC else str(error)
