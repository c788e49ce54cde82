"""Photographs with their labels in color, and a legend of the classes that they show."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from wsss.data.palette import voc_palette
from wsss.figures.overlay import colored
from wsss.figures.sheet import INK, PAPER, TEXT, TEXT_LINE
from wsss.metrics import IGNORE

SWATCH, GAP = 12, 6


def with_legend(photo: np.ndarray, mask: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """The labels over a photograph, and below it the colors and percents of the classes that it shows.

    photo: uint8 (H, W, 3); mask: uint8 (H, W). Returns uint8 (H + lines, W, 3).
    """
    counts = np.bincount(mask.ravel(), minlength=256)
    names = dict(enumerate(classes, 1)) | {IGNORE: "ignored"}
    shown = [value for value in names if counts[value]]
    height, width = mask.shape
    sheet = Image.new("RGB", (width, height + TEXT_LINE * max(1, len(shown))), PAPER)
    sheet.paste(Image.fromarray(colored(photo, mask)), (0, 0))
    pen, colors = ImageDraw.Draw(sheet), voc_palette()
    for line, value in enumerate(shown):
        top = height + line * TEXT_LINE
        pen.rectangle((GAP, top + 4, GAP + SWATCH, top + 4 + SWATCH), tuple(colors[value].tolist()), INK)
        percent = 100 * counts[value] / mask.size
        pen.text((2 * GAP + SWATCH, top + 2), f"{names[value]}  {percent:.1f} %", INK, TEXT)
    return np.asarray(sheet)
