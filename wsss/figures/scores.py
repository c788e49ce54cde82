"""A sheet of images with their masks and CAMs or walks, to see at a glance what they cover."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsss.data.index import Index, Record
from wsss.evaluation.scores import CAMS, ScoreKind
from wsss.figures.image_sheet import label_picture, write_image_sheet
from wsss.figures.overlay import heat
from wsss.figures.sheet import resize

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
    `evaluate_scores`; they become a mask at its threshold.
    """
    opened = [kind.shard(path) for path in shards]
    holder = {image_id: shard for shard in opened for image_id in shard.ids}
    threshold = metrics["threshold"]

    def draw(record: Record, image: np.ndarray) -> list[np.ndarray]:
        maps = holder[record.id][record.id]
        scores = maps.full()
        background = np.full((1, *maps.size), threshold, np.float32)
        predicted = maps.keys[np.concatenate([background, scores]).argmax(axis=0)].astype(np.uint8)
        largest = resize(scores.max(axis=0, initial=0), (image.shape[0], image.shape[1]))
        return [heat(image, largest), label_picture(image, predicted)]

    found = f"mIoU {metrics['miou']:.1f} % at threshold {threshold:.2f}"
    title = f"{metrics['run']}: {kind.name} of {index.split}, {found}"
    headings = (kind.name, f"{kind.name} > {threshold:.2f}")
    write_image_sheet(path, index, draw, shown=shown, side=SIDE, title=title, headings=headings)
