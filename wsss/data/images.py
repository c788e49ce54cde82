"""One way to read a photograph, so that every stage sees the same pixels."""

from pathlib import Path

import numpy as np
from PIL import Image

from wsss.errors import UserError

_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def read_image(path: str | Path) -> Image.Image:
    """Decode an image as 8-bit RGB.

    Grey, palette, CMYK and alpha images are converted (alpha is dropped), 16-bit grey keeps its upper eight
    bits. An EXIF rotation is not applied: masks and boxes are in the orientation in which the pixels are
    stored. Raises UserError naming the file when it is missing, truncated or of a kind with no 8-bit meaning.
    """
    try:
        with Image.open(path) as image:
            image.load()
            if image.mode in ("I", "F") or image.mode.startswith("I;"):
                return _from_sixteen_bits(image, path)
            return image.convert("RGB")
    except _UNREADABLE as error:
        raise UserError(f"{path}: image does not decode ({error}); replace it") from None


def image_size(path: str | Path) -> tuple[int, int]:
    """(H, W) of an image in stored orientation, from its header alone. Raises UserError naming the file."""
    try:
        with Image.open(path) as image:
            width, height = image.size
    except FileNotFoundError:
        raise UserError(f"{path}: no such image; restore it, or take it out of its list") from None
    except _UNREADABLE as error:
        raise UserError(f"{path}: image does not open ({error}); replace it") from None
    return height, width


def _from_sixteen_bits(image: Image.Image, path: str | Path) -> Image.Image:
    pixels = np.asarray(image)
    if pixels.dtype.kind == "f" or pixels.min() < 0 or pixels.max() > 65535:
        raise UserError(f"{path}: image has mode {image.mode}; allowed are 8-bit images and 16-bit grey")
    return Image.fromarray((pixels.astype(np.uint32) >> 8).astype(np.uint8)).convert("RGB")
