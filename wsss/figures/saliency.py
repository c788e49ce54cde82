"""A sheet of images with their masks and every kind of saliency, to see what each step adds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.data.palette import read_mask
from wsss.figures.overlay import colored, heat, legend
from wsss.figures.sheet import Row, resize, resize_labels, size_within, write_sheet
from wsss.inference.saliency_maps import SaliencyShard, open_saliency, saliency_of
from wsss.runs.stages import SALIENCY, STAGES

#: images on a sheet, and the longest side of one picture, px
SHOWN, SIDE = 8, 256
#: the heading of each kind of saliency
HEADINGS = {kind: STAGES[stage].title for kind, stage in SALIENCY.items()}


def saliency_sheet(
    path: Path,
    index: Index,
    shards: Mapping[str, Sequence[Path]],
    metrics: dict[str, Any],
    *,
    shown: int = SHOWN,
) -> None:
    """Write a sheet: per image the photograph, its mask, and the saliency of each kind that the run has.

    shards: by kind, of all images of the index; a kind without shards is left out. metrics: of this saliency,
    see `score_saliency`. The images are spread evenly over the index; without a mask, its place shows the
    bare image.
    """
    kinds = [name for name in HEADINGS if shards[name]]
    holders = [
        {image_id: shard for shard in map(open_saliency, shards[name]) for image_id in shard.ids}
        for name in kinds
    ]
    places = np.linspace(0, len(index) - 1, min(shown, len(index))).round().astype(int)
    records = [index.records[place] for place in places]
    found = ", ".join(f"{HEADINGS[name]} {metrics[name]['miou']:.1f} %" for name in kinds)
    write_sheet(
        path,
        [_row(record, [holder[record.id] for holder in holders]) for record in records],
        side=SIDE,
        title=f"{metrics['run']}: saliency of {metrics['protocol']['split']}, mIoU {found}",
        headings=("image", "mask", *(HEADINGS[name] for name in kinds)),
        legend=legend(index, (name for record in records for name in record.labels)),
        per_line=1,
    )


def _row(record: Record, shards: Sequence[SaliencyShard]) -> Row:
    photograph = np.asarray(read_image(record.image))
    size = size_within((photograph.shape[0], photograph.shape[1]), SIDE)
    image = resize(photograph, size)
    mask = np.zeros(photograph.shape[:2], np.uint8) if record.mask is None else read_mask(record.mask)
    maps = [heat(image, resize(saliency_of(shard, record.id), size)) for shard in shards]
    pictures = [image, colored(image, resize_labels(mask, size)), *maps]
    without = "" if record.mask else " (no mask)"
    return Row(f"{record.id}: {', '.join(record.labels) or 'no label'}{without}", pictures)
