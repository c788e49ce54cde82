"""A sheet of images of a split: the photograph, its mask, and what a stage made of it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.data.palette import read_mask
from wsss.figures.overlay import colored, hatched, legend
from wsss.figures.sheet import Row, resize, resize_labels, size_within, write_sheet
from wsss.metrics import IGNORE


def write_image_sheet(
    path: Path,
    index: Index,
    draw: Callable[[Record, np.ndarray], Sequence[np.ndarray]],
    *,
    shown: int,
    side: int,
    title: str,
    headings: Sequence[str],
    per_line: int = 2,
) -> None:
    """Write a sheet of `shown` images, spread evenly over the index.

    draw: the pictures of a record beside photograph and mask, of the size of the small photograph (h, w, 3)
    that it gets. side: the longest side of one picture, px. headings: of the pictures that `draw` returns.
    Without a mask, its place shows the bare image.
    """
    records = evenly(index, shown)
    write_sheet(
        path,
        [_row(record, draw, side) for record in records],
        side=side,
        title=title,
        headings=("image", "mask", *headings),
        legend=legend(index, (name for record in records for name in record.labels)),
        per_line=per_line,
    )


def evenly(index: Index, count: int) -> list[Record]:
    """At most `count` images of an index, the first and the last among them."""
    places = np.linspace(0, len(index) - 1, min(count, len(index))).round().astype(int)
    return [index.records[place] for place in places]


def label_picture(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A label map (H, W) in its colors over a small photograph; what is open or ignored is hatched."""
    small = resize_labels(labels, (image.shape[0], image.shape[1]))
    ignored = small == IGNORE
    return hatched(colored(image, np.where(ignored, 0, small)), ignored)


def _row(record: Record, draw: Callable[[Record, np.ndarray], Sequence[np.ndarray]], side: int) -> Row:
    photograph = np.asarray(read_image(record.image))
    image = resize(photograph, size_within((photograph.shape[0], photograph.shape[1]), side))
    mask = image if record.mask is None else label_picture(image, read_mask(record.mask))
    caption = f"{record.id}: {', '.join(record.labels) or 'no label'}{'' if record.mask else ' (no mask)'}"
    return Row(caption, [image, mask, *draw(record, image)])
