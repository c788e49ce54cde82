"""Scores of saliency against masks: all kinds of maps and all thresholds, in one pass over the images.

Objects are all classes but the background. The CAMs are scored, too, with the complement of the saliency as
their background.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wsss.data.index import Index, Record
from wsss.data.palette import read_mask
from wsss.errors import UserError
from wsss.evaluation.labels import masked_images
from wsss.machine.fanout import CHUNK, fan_out
from wsss.metrics import IGNORE, ConfusionMatrix, SaliencyScore, ThresholdSweep
from wsss.progress import Progress
from wsss.store.cams import CamShard
from wsss.store.shards import open_saliency, saliency_of

#: names of the two classes of saliency
KINDS_OF_PIXELS = ("background", "object")


@dataclass
class Counted:
    """The counts of one kind of saliency: against objects, and with the CAMs against classes."""

    sweep: ThresholdSweep
    cams: ConfusionMatrix
    score: SaliencyScore = field(default_factory=SaliencyScore)

    def merge(self, other: "Counted") -> None:
        """Add the counts of other images."""
        self.sweep.merge(other.sweep)
        self.cams.merge(other.cams)
        self.score.merge(other.score)


def score_saliency(
    saliency: Mapping[str, Sequence[Path]],
    cams: Sequence[Path],
    index: Index,
    *,
    thresholds: Sequence[float],
    workers: int = 1,
    progress: bool = True,
) -> dict[str, Any]:
    """Score all kinds of saliency of a run against all masks of an index.

    saliency: by kind, the shards of its maps: files of score maps or directories of 8-bit ones. cams: their
    shards. Shard i holds, of each, the images at positions p of the index with p mod n = i. thresholds: an
    object is where the saliency exceeds θ. workers: processes that may share the images.

    Returns what a metrics file holds, in percent but for thresholds: `protocol`; by kind the best `threshold`
    and there `miou`, `iou` of both kinds of pixels, and the rest of `ConfusionMatrix.summary`; `mae` and
    `f_measure` (see `SaliencyScore`); under `cams` miou and iou of the CAMs with this saliency; and `curve`,
    the miou of every kind at every threshold.

    Raises UserError when no image has a mask, and naming images whose maps are missing or do not fit.
    """
    masked = len(masked_images(index))
    names = tuple(saliency)
    chunks = [
        _Chunk(cams[i], tuple(paths[i] for paths in saliency.values()), part[start : start + CHUNK])
        for i in range(len(cams))
        for part in [[record for record in index.shard(i, len(cams)) if record.mask is not None]]
        for start in range(0, len(part), CHUNK)
    ]
    count = partial(_count, names=names, classes=len(index.classes) + 1, thresholds=tuple(thresholds))
    total = _empty(names, len(index.classes) + 1, thresholds)
    counter = Progress(f"evaluating saliency of {index.split}", masked, enabled=progress)
    parts = fan_out(count, chunks, images=masked, workers=workers)
    for chunk, part_of_total in zip(chunks, parts, strict=True):
        for name in names:
            total[name].merge(part_of_total[name])
        counter.update(len(chunk.records))
    counter.close()
    return _report(total, index, masked, thresholds)


@dataclass(frozen=True)
class _Chunk:
    """Some images of one shard."""

    cams: Path
    saliency: tuple[Path, ...]
    records: list[Record]


def _empty(names: Sequence[str], classes: int, thresholds: Sequence[float]) -> dict[str, Counted]:
    return {name: Counted(ThresholdSweep(2, thresholds), ConfusionMatrix(classes)) for name in names}


def _count(
    chunk: _Chunk, *, names: Sequence[str], classes: int, thresholds: Sequence[float]
) -> dict[str, Counted]:
    cams = CamShard(chunk.cams)
    opened = [open_saliency(path) for path in chunk.saliency]
    counted = _empty(names, classes, thresholds)
    for record in chunk.records:
        assert record.mask is not None  # images without one are in no chunk
        mask = read_mask(record.mask)
        objects = np.where(mask == IGNORE, IGNORE, mask > 0).astype(np.uint8)
        maps = cams[record.id]
        scores = maps.full()
        for name, path, shard in zip(names, chunk.saliency, opened, strict=True):
            saliency = saliency_of(shard, record.id)
            if not saliency.shape == mask.shape == maps.size:
                raise UserError(
                    f"{record.id}: {name} {saliency.shape}, CAMs {maps.size} and mask {mask.shape} have to "
                    f"be of one size (H, W) ({path}, {chunk.cams}, {record.mask})"
                )
            found = counted[name]
            try:
                found.sweep.update(saliency[None], (0, 1), objects)
                found.score.update(np.rint(255 * saliency).astype(np.uint8), objects)
                best = np.concatenate([1 - saliency[None], scores]).argmax(axis=0)
                found.cams.update(maps.keys.astype(np.uint8)[best], mask)
            except ValueError as error:
                raise UserError(f"{record.id}: {error} ({path}, {record.mask})") from None
    return counted


def _report(
    total: Mapping[str, Counted], index: Index, masked: int, thresholds: Sequence[float]
) -> dict[str, Any]:
    kinds = {name: _of_kind(counted, index.classes) for name, counted in total.items()}
    mious = {name: 100 * counted.sweep.miou() for name, counted in total.items()}
    curve = [
        {"threshold": float(threshold)} | {name: float(miou[i]) for name, miou in mious.items()}
        for i, threshold in enumerate(thresholds)
    ]
    protocol = {
        "split": index.split,
        "images": masked,
        "images_without_mask": len(index) - masked,
        "object": "mask value neither 0 nor 255 (ignored)",
        "prediction": "object where the saliency exceeds the threshold",
        "threshold_chosen": f"best miou of {len(thresholds)}, on the masks of {index.split}",
        "resolution": "that of each image",
        "mean": "miou of background and object",
        "mae": "mean over the pixels of an image of |saliency - mask|, mean over the images",
        "f_measure": "greatest over 256 levels, beta^2 = 0.3, of precision and recall averaged over images",
        "cams": "label = argmax([1 - saliency, CAMs]); miou over the classes that occur, background included",
        "unit": "percent",
    }
    return {"protocol": protocol, **kinds, "curve": curve}


def _of_kind(counted: Counted, classes: Sequence[str]) -> dict[str, Any]:
    best = counted.sweep.best()
    confusion = counted.sweep.confusion(best)
    iou, cams = (100 * matrix.iou() for matrix in (confusion, counted.cams))
    return {
        "threshold": float(counted.sweep.thresholds[best]),
        **{name: 100 * value for name, value in confusion.summary().items()},
        "iou": dict(zip(KINDS_OF_PIXELS, iou.tolist(), strict=True)),
        "mae": 100 * counted.score.mae(),
        "f_measure": 100 * counted.score.f_measure(),
        "cams": {
            "miou": 100 * counted.cams.miou(),
            "iou": dict(zip(("background", *classes), cams.tolist(), strict=True)),
        },
    }
