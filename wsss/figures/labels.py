"""A sheet of images with their masks and a label map that was made of them, ignored pixels hatched."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsss.data.index import Index, Record
from wsss.figures.image_sheet import label_picture, write_image_sheet
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
    the name of its `run`. name: of the maps.
    """
    holder = {image_id: shard for shard in map(LabelShard, shards) for image_id in shard.ids}

    def draw(record: Record, image: np.ndarray) -> list[np.ndarray]:
        return [label_picture(image, holder[record.id][record.id])]

    title = f"{metrics['run']}: {name} of {index.split}, {_reached(metrics)}"
    write_image_sheet(path, index, draw, shown=shown, side=SIDE, title=title, headings=[name])


def _reached(metrics: dict[str, Any]) -> str:
    if metrics["miou"] is None:
        return "no masks to score them by"
    covered = f", on {metrics['coverage']:.1f} % of the pixels" if metrics["coverage"] < 100 else ""
    return f"mIoU {metrics['miou']:.1f} %{covered}"
