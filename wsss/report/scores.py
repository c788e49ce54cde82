"""Scores of single images and the confusion of classes, counted from the masks themselves."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from wsss.data.index import Index
from wsss.data.palette import read_mask
from wsss.errors import UserError
from wsss.metrics import ConfusionMatrix
from wsss.progress import track
from wsss.store.label_maps import LabelShard

#: greatest difference of two mIoU, in percent, that are computed from the same masks
SAME = 1e-6


def score_images(
    masks: Mapping[str, LabelShard], index: Index, metrics: Mapping[str, Any], *, progress: bool
) -> dict[str, Any]:
    """Score every image that has a mask.

    masks: of the network, by image id, the shard that holds them. metrics: of all of them together, see
    `score_labels`.

    Returns, in percent: `images`, by id `miou`, over the classes that occur in the image or its prediction,
    and `iou` of each of these; `confusion`, for each class the shares of its pixels in the masks that are
    predicted as each class, None where it has none; `pixels` of each class. All are empty where no image has
    a mask. Raises UserError when the masks are not those of the metrics.
    """
    names = ("background", *index.classes)
    total = ConfusionMatrix(len(names))
    images: dict[str, Any] = {}
    masked = index.masked
    if not masked:
        return {"split": index.split, "images": {}, "confusion": {}, "pixels": {}}
    for record in track(masked, label=f"scoring images of {index.split}", enabled=progress):
        assert record.mask is not None
        one = ConfusionMatrix(len(names))
        one.update(masks[record.id][record.id], read_mask(record.mask))
        total.merge(one)
        iou = dict(zip(names, (100 * one.iou()).tolist(), strict=True))
        images[record.id] = {
            "miou": 100 * one.miou(),
            "iou": {name: value for name, value in iou.items() if value == value},
        }
    if not abs(100 * total.miou() - metrics["miou"]) < SAME:
        raise UserError(
            f"the masks of {index.split} have a mIoU of {100 * total.miou():.2f} %, but the metrics say "
            f"{metrics['miou']:.2f} %: they are of other masks. Score these again: snakemake --cores all "
            f"--force results/{metrics['run']}/metrics/masks.{index.split}.json"
        )
    pixels = total.counts.sum(1)
    shares = (100 * total.counts / np.maximum(pixels, 1)[:, None]).tolist()
    return {
        "split": index.split,
        "images": images,
        "confusion": {
            name: dict(zip(names, row if count else [None] * len(names), strict=True))
            for name, row, count in zip(names, shares, pixels, strict=True)
        },
        "pixels": dict(zip(names, pixels.tolist(), strict=True)),
    }
