"""Label maps: the VOC color table, and one reader for every way a mask is stored."""

from pathlib import Path

import numpy as np
from PIL import Image

from wsss.data.sbd import MAT, read_sbd
from wsss.errors import UserError


def voc_palette() -> np.ndarray:
    """The PASCAL VOC color table: uint8 (256, 3), RGB, row v is the color of mask value v.

    The bits of v are dealt in turn to red, green and blue, and fill each channel from its highest bit down
    (VOC development kit). No two rows are equal; row 255, void, is (224, 224, 192).
    """
    values = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        palette[:, bit % 3] |= ((values >> bit & 1) << (7 - bit // 3)).astype(np.uint8)
    return palette


def read_mask(path: str | Path) -> np.ndarray:
    """Read a mask as uint8 (H, W) of class values: 0 background, 1..C classes, 255 ignore.

    Mode P and L hold the values themselves, mode 1 (one bit) holds 0 and 1. RGB (as converted SBD masks come)
    is decoded through the VOC color table, so void color becomes 255. A .mat file is SBD's own form.
    Raises UserError naming the file when it does not decode, has another mode, or shows a color that the
    table lacks.
    """
    if Path(path).suffix == MAT:
        return read_sbd(path)
    try:
        with Image.open(path) as image:
            mode = image.mode
            pixels = np.array(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: mask does not open ({error}); replace it") from None
    if mode in ("P", "L", "1"):
        return pixels.astype(np.uint8, copy=False)
    if mode in ("RGB", "RGBA"):
        return _decode_colors(pixels[..., :3], path)
    raise UserError(f"{path}: mask has mode {mode}; allowed are P (palette), L (8-bit gray) and RGB")


def _decode_colors(pixels: np.ndarray, path: str | Path) -> np.ndarray:
    """RGB (H, W, 3) -> values (H, W) by the VOC color table."""
    weights = np.array([1 << 16, 1 << 8, 1])
    codes = pixels.astype(np.int64) @ weights
    table = voc_palette().astype(np.int64) @ weights
    order = np.argsort(table)
    place = np.searchsorted(table[order], codes).clip(max=255)
    unknown = table[order][place] != codes
    if unknown.any():
        row, column = np.argwhere(unknown)[0]
        color = tuple(int(value) for value in pixels[row, column])
        raise UserError(
            f"{path}: color {color} at row {row}, column {column} is not in the VOC color table; "
            "an RGB mask may hold only its 256 colors, unless dataset.mask_values says what others mean"
        )
    return order[place].astype(np.uint8)
