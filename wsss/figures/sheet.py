"""Contact sheets: rows of small pictures under a title, a legend and headings, in one PNG."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wsss.store.files import write_png

Color = tuple[int, int, int]

#: space between pictures, between rows side by side, and around the sheet, px
GAP, GUTTER, MARGIN = 4, 28, 16
PAPER: Color = (255, 255, 255)
INK: Color = (40, 40, 40)
TITLE, TEXT = ImageFont.load_default(20), ImageFont.load_default(13)
#: heights of a line of text, px
TITLE_LINE, TEXT_LINE = 30, 20


@dataclass(frozen=True)
class Row:
    """Pictures that belong together, (h, w, 3) uint8 of one height, and a line of text over them."""

    caption: str
    pictures: Sequence[np.ndarray]


def size_within(shape: tuple[int, int], side: int) -> tuple[int, int]:
    """(h, w) of a picture of this shape whose longer side is `side`."""
    scale = side / max(shape)
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A photograph or a score map, (H, W) or (H, W, 3), at another size (h, w)."""
    method = cv2.INTER_AREA if size[0] < picture.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(picture, size[::-1], interpolation=method)


def resize_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A label map (H, W) at another size (h, w), without values that it did not have."""
    return cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST)


def write_sheet(
    path: Path,
    rows: Sequence[Row],
    *,
    side: int,
    title: str,
    headings: Sequence[str],
    legend: Sequence[tuple[str, Color]],
    per_line: int = 2,
) -> None:
    """Write rows of pictures as one PNG.

    side: longest side of a picture. headings: one per picture of a row. legend: names and their colors.
    per_line: rows side by side.
    """
    lines = [rows[start : start + per_line] for start in range(0, len(rows), per_line)]
    width_of_row = len(headings) * (side + GAP) - GAP
    width = 2 * MARGIN + per_line * (width_of_row + GUTTER) - GUTTER
    heights = [TEXT_LINE + max(row.pictures[0].shape[0] for row in line) + 2 * GAP for line in lines]
    entries, height_of_legend = _placed(legend, width - 2 * MARGIN)
    top = MARGIN + TITLE_LINE + height_of_legend + TEXT_LINE
    sheet = Image.new("RGB", (width, top + sum(heights) + MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN), title, INK, TITLE)
    for x, y, name, color in entries:
        x, y = x + MARGIN, y + MARGIN + TITLE_LINE
        pen.rectangle((x, y + 2, x + 12, y + 14), color, INK)
        pen.text((x + 18, y), name, INK, TEXT)
    for place in range(min(per_line, len(rows))):
        for column, heading in enumerate(headings):
            x = MARGIN + place * (width_of_row + GUTTER) + column * (side + GAP) + side // 2
            pen.text((x, top - TEXT_LINE), heading, INK, TEXT, anchor="ma")
    for line, height in zip(lines, heights, strict=True):
        for place, row in enumerate(line):
            left = MARGIN + place * (width_of_row + GUTTER)
            pen.text((left, top + 2), _cut(row.caption, width_of_row), INK, TEXT)
            for column, picture in enumerate(row.pictures):
                x = left + column * (side + GAP) + (side - picture.shape[1]) // 2
                sheet.paste(Image.fromarray(picture), (x, top + TEXT_LINE))
        top += height
    write_png(path, np.asarray(sheet))


def _placed(legend: Sequence[tuple[str, Color]], width: int) -> tuple[list[tuple[int, int, str, Color]], int]:
    """Left, top, name and color of each entry in lines of this width, and the height of all lines."""
    placed, x, y = [], 0, 0
    for name, color in legend:
        needed = round(TEXT.getlength(name)) + 36
        if x and x + needed > width:
            x, y = 0, y + TEXT_LINE
        placed.append((x, y, name, color))
        x += needed
    return placed, y + 2 * TEXT_LINE


def _cut(text: str, width: int) -> str:
    """The text, shortened to this width."""
    if TEXT.getlength(text) <= width:
        return text
    while text and TEXT.getlength(text + " …") > width:
        text = text[:-1]
    return text + " …"
