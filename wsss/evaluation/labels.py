"""Scores of label maps against masks: affinity labels, pseudo labels, masks of a network."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from wsss.data.index import Index, Record
from wsss.data.palette import read_mask
from wsss.errors import UserError
from wsss.evaluation.image_counts import ImageCounts
from wsss.metrics import IGNORE, ConfusionMatrix
from wsss.progress import track
from wsss.store.label_maps import LabelShard


def masked_images(index: Index) -> list[Record]:
    """The images that have a mask. Raises UserError when none has."""
    if not index.masked:
        raise UserError(
            f"split {index.split}: none of its {len(index)} images has a mask to score by; add "
            "masks, score another split, or set dataset.with_masks to false"
        )
    return index.masked


def unscored(index: Index) -> dict[str, Any]:
    """What a metrics file holds of a split without masks: the keys of `score_labels`, and no figures."""
    return {
        "protocol": {"split": index.split, "images": 0, "images_without_mask": len(index)},
        "coverage": None,
        "miou": None,
        "iou": dict.fromkeys(("background", *index.classes)),
    }


def score_labels(
    shards: Mapping[str, LabelShard],
    index: Index,
    *,
    progress: bool = True,
    images: ImageCounts | None = None,
) -> dict[str, Any]:
    """Score label maps against all masks of an index, at the images' own resolution.

    shards: by image id, the one that holds its map; of every image with a mask. Pixels that a map ignores
    (255) are not counted; `coverage` is the share of the masks' labeled pixels that are counted. images:
    takes the pixel counts of every image.

    Returns what a metrics file holds, in percent: `protocol`, `coverage`, all of `ConfusionMatrix.summary`,
    and `iou` by class name, NaN for a class that never occurs. Raises UserError when no image has a mask, and
    naming the image whose map does not fit its mask.
    """
    masked = masked_images(index)
    confusion = ConfusionMatrix(len(index.classes) + 1)
    known = 0
    for record in track(masked, label=f"evaluating {index.split}", enabled=progress):
        assert record.mask is not None
        labels, mask = shards[record.id][record.id], read_mask(record.mask)
        where = shards[record.id].path(record.id)
        if labels.shape != mask.shape:
            raise UserError(
                f"{record.id}: {where} has {labels.shape[1]} x {labels.shape[0]} pixels, but the mask "
                f"{record.mask} has {mask.shape[1]} x {mask.shape[0]}; make the label map again, or "
                "replace the mask"
            )
        known += int(np.count_nonzero(mask != IGNORE))
        ignored = labels == IGNORE
        one = ConfusionMatrix(confusion.num_classes)
        try:
            one.update(np.where(ignored, 0, labels), np.where(ignored, IGNORE, mask))
        except ValueError as error:
            raise UserError(f"{record.id}: {error} ({where}, {record.mask})") from None
        confusion.merge(one)
        if images is not None:
            images.add_labels(record.id, one)
    counted = int(confusion.counts.sum())
    return {
        "protocol": {
            "split": index.split,
            "images": len(masked),
            "images_without_mask": len(index) - len(masked),
            "classes": len(index.classes) + 1,
            "resolution": "that of each image",
            "ignored": "mask value 255, and pixels that the label map leaves open (255)",
            "mean": "over the classes that occur in masks or labels, background included in miou alone",
            "unit": "percent",
            "digest": shards[masked[0].id].digest,
        },
        "coverage": 100 * counted / max(1, known),
        **{name: 100 * value for name, value in confusion.summary().items()},
        "iou": dict(zip(("background", *index.classes), (100 * confusion.iou()).tolist(), strict=True)),
    }
