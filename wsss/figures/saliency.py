"""A sheet of images with their masks and every kind of saliency, to see what each step adds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsss.data.index import Index, Record
from wsss.figures.image_sheet import write_image_sheet
from wsss.figures.overlay import heat
from wsss.figures.sheet import resize
from wsss.runs.stages import SALIENCY, STAGES
from wsss.store.shards import open_saliency, saliency_of

#: images on a sheet, and the longest side of one picture, px
SHOWN, SIDE = 8, 256


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
    see `score_saliency`.
    """
    titles = {kind: STAGES[stage].title for kind, stage in SALIENCY.items() if shards[kind]}
    holders = [
        {image_id: shard for shard in map(open_saliency, shards[kind]) for image_id in shard.ids}
        for kind in titles
    ]

    def draw(record: Record, image: np.ndarray) -> list[np.ndarray]:
        maps = (saliency_of(holder[record.id], record.id) for holder in holders)
        return [heat(image, resize(saliency, (image.shape[0], image.shape[1]))) for saliency in maps]

    found = ", ".join(f"{title} {metrics[kind]['miou']:.1f} %" for kind, title in titles.items())
    title = f"{metrics['run']}: saliency of {metrics['protocol']['split']}, mIoU {found}"
    headings = list(titles.values())
    write_image_sheet(path, index, draw, shown=shown, side=SIDE, title=title, headings=headings, per_line=1)
