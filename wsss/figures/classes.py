"""Photographs of each class on one sheet: whether labels are what they should be is seen at a glance."""

from pathlib import Path

import numpy as np

from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.data.palette import voc_palette
from wsss.figures.sheet import Row, resize, size_within, write_sheet

#: photographs of a class, and the longest side of one, px
SHOWN, SIDE = 8, 112
NOTHING = "none of these"


def draw_classes(path: Path, index: Index) -> None:
    """Write a row of photographs per class, spread evenly over the index, and one of those without any."""
    colors, rows, legend = voc_palette(), [], []
    for value, name in enumerate((*index.classes, NOTHING), 1):
        records = [
            record for record in index if name in record.labels or (not record.labels and name == NOTHING)
        ]
        if not records:
            continue
        places = np.linspace(0, len(records) - 1, min(SHOWN, len(records))).round().astype(int)
        pictures = [_thumbnail(records[place]) for place in places]
        blank = [np.full((SIDE, SIDE, 3), 255, np.uint8)] * (SHOWN - len(pictures))
        rows.append(Row(f"{name}: {len(records)} photographs", [*pictures, *blank]))
        if name != NOTHING:
            red, green, blue = colors[value].tolist()
            legend.append((name, (red, green, blue)))
    title = f"{len(index)} photographs of {index.split}"
    write_sheet(path, rows, side=SIDE, title=title, headings=[""] * SHOWN, legend=legend, per_line=1)


def _thumbnail(record: Record) -> np.ndarray:
    """The photograph within a white square."""
    pixels = np.asarray(read_image(record.image))
    height, width = size_within((pixels.shape[0], pixels.shape[1]), SIDE)
    square = np.full((SIDE, SIDE, 3), 255, np.uint8)
    square[:height, :width] = resize(pixels, (height, width))
    return square
