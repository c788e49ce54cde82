"""A sheet of images with their masks and CAMs or walks, to see at a glance what they cover."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.data.palette import read_mask
from wsss.evaluation.scores import CAMS, ScoreKind
from wsss.figures.overlay import colored, heat, legend
from wsss.figures.sheet import Row, resize, resize_labels, size_within, write_sheet
from wsss.store.cams import CamMaps
from wsss.store.walks import WalkMaps

#: images on a sheet: enough to see the kinds of failure, few enough to see each image
SHOWN = 32
#: longest side of one picture, px
SIDE = 176


def score_sheet(
    path: Path,
    index: Index,
    shards: Sequence[Path],
    metrics: dict[str, Any],
    *,
    kind: ScoreKind = CAMS,
    shown: int = SHOWN,
) -> None:
    """Write a sheet: per image the photograph, its mask, the largest map of all classes, the maps as a mask.

    shards: of the maps of all images of the index, which are of one kind. metrics: of these maps, see
    `evaluate_scores`; they become a mask at its threshold. The images are spread evenly over the index;
    without a mask, its place shows the bare image.
    """
    opened = [kind.shard(path) for path in shards]
    maps = {image_id: shard for shard in opened for image_id in shard.ids}
    places = np.linspace(0, len(index) - 1, min(shown, len(index))).round().astype(int)
    records = [index.records[place] for place in places]
    threshold = metrics["threshold"]
    found = f"mIoU {metrics['miou']:.1f} % at threshold {threshold:.2f}"
    write_sheet(
        path,
        [_row(record, maps[record.id][record.id], threshold) for record in records],
        side=SIDE,
        title=f"{metrics['run']}: {kind.name} of {index.split}, {found}",
        headings=("image", "mask", kind.name, f"{kind.name} > {threshold:.2f}"),
        legend=legend(index, (name for record in records for name in record.labels)),
    )


def _row(record: Record, maps: CamMaps | WalkMaps, threshold: float) -> Row:
    size = size_within(maps.size, SIDE)
    image = resize(np.asarray(read_image(record.image)), size)
    scores = maps.full()
    background = np.full((1, *maps.size), threshold, np.float32)
    predicted = maps.keys[np.concatenate([background, scores]).argmax(axis=0)].astype(np.uint8)
    mask = np.zeros(maps.size, np.uint8) if record.mask is None else read_mask(record.mask)
    pictures = [
        image,
        colored(image, resize_labels(mask, size)),
        heat(image, resize(scores.max(axis=0, initial=0), size)),
        colored(image, resize_labels(predicted, size)),
    ]
    without = "" if record.mask else " (no mask)"
    return Row(f"{record.id}: {', '.join(record.labels) or 'no label'}{without}", pictures)
