"""A sheet of images with their masks and a label map that was made of them, ignored pixels hatched."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.data.palette import read_mask
from wsss.figures.overlay import colored, hatched, legend
from wsss.figures.sheet import Row, resize, resize_labels, size_within, write_sheet
from wsss.metrics import IGNORE
from wsss.store.label_maps import LabelShard

#: images on a sheet, and the longest side of one picture, px
SHOWN, SIDE = 32, 224


def label_sheet(
    path: Path,
    index: Index,
    shards: Sequence[Path],
    metrics: dict[str, Any],
    *,
    name: str,
    shown: int = SHOWN,
) -> None:
    """Write a sheet: per image the photograph, its mask and its label map.

    shards: of the label maps of all images of the index. metrics: of these maps, see `score_labels`, and
    the name of its `run`. name: of the maps. The images are spread evenly over the index; without a mask, its
    place shows the bare image.
    """
    holder = {image_id: shard for shard in map(LabelShard, shards) for image_id in shard.ids}
    places = np.linspace(0, len(index) - 1, min(shown, len(index))).round().astype(int)
    records = [index.records[place] for place in places]
    write_sheet(
        path,
        [_row(record, holder[record.id][record.id]) for record in records],
        side=SIDE,
        title=f"{metrics['run']}: {name} of {index.split}, {_reached(metrics)}",
        headings=("image", "mask", name),
        legend=legend(index, (name for record in records for name in record.labels)),
    )


def _reached(metrics: dict[str, Any]) -> str:
    if metrics["miou"] is None:
        return "no masks to score them by"
    covered = f", on {metrics['coverage']:.1f} % of the pixels" if metrics["coverage"] < 100 else ""
    return f"mIoU {metrics['miou']:.1f} %{covered}"


def _row(record: Record, labels: np.ndarray) -> Row:
    size = size_within((labels.shape[0], labels.shape[1]), SIDE)
    image = resize(np.asarray(read_image(record.image)), size)
    mask = np.zeros(labels.shape, np.uint8) if record.mask is None else read_mask(record.mask)
    pictures = [
        image,
        _laid_over(image, resize_labels(mask, size)),
        _laid_over(image, resize_labels(labels, size)),
    ]
    without = "" if record.mask else " (no mask)"
    return Row(f"{record.id}: {', '.join(record.labels) or 'no label'}{without}", pictures)


def _laid_over(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The classes of a label map in their colors, over a gray image; what is open or ignored is hatched."""
    open_ = labels == IGNORE
    return hatched(colored(image, np.where(open_, 0, labels)), open_)
