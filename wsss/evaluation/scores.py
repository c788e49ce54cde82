"""Scores of score maps against masks, at all background thresholds in one pass.

Scores are computed at the image's own resolution, and only where there is a mask. The threshold is chosen on
the very masks that are scored, as is usual for CAMs (an oracle, and the result says so).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wsss.data.index import Index, Record
from wsss.data.palette import read_mask
from wsss.errors import UserError, listed
from wsss.evaluation.image_counts import ImageCounts
from wsss.evaluation.labels import masked_images
from wsss.machine.fanout import CHUNK, fan_out
from wsss.metrics import ThresholdSweep
from wsss.progress import Progress
from wsss.store.cams import CamShard
from wsss.store.walks import WalkShard


@dataclass(frozen=True)
class ScoreKind:
    """Score maps of one kind. name: in messages. maps: for the protocol. shard: class of their files."""

    name: str
    maps: str
    shard: type[CamShard | WalkShard]


CAMS = ScoreKind("CAMs", "CAMs of the image-level labels' classes, each divided by its maximum", CamShard)
WALKS = ScoreKind(
    "walks", "walked CAMs of the image-level labels' classes, divided by their common maximum", WalkShard
)


def evaluate_scores(
    shards: Sequence[str | Path],
    index: Index,
    *,
    thresholds: Sequence[float],
    kind: ScoreKind = CAMS,
    workers: int = 1,
    progress: bool = True,
    images: ImageCounts | None = None,
) -> dict[str, Any]:
    """Score the maps in `shards`, which are of one kind, against all masks of an index.

    thresholds: background scores θ; a pixel's label is argmax([θ, maps]). workers: processes that may share
    the images; for few images this one does it. images: takes the pixel counts of every image at the best
    threshold.

    Returns what a metrics file holds, in percent but for `threshold`: `protocol`; the best `threshold` and
    there `miou`, `foreground_miou`, `fp_rate`, `fn_rate`, `precision` and `recall` (means over the
    foreground) and `iou` by class name; `curve`, the same but `iou` for every threshold. A class that never
    occurs is NaN and in no mean.

    Raises UserError when no image has a mask; naming ids when images with a mask have no maps, or maps of
    another size than their mask or of classes that the index has not; when shards come from different
    configurations.
    """
    masked = masked_images(index)
    opened = [kind.shard(path) for path in shards]
    digests = sorted({shard.digest for shard in opened})
    if len(digests) > 1:
        differing = f"shards of different configurations ({', '.join(digests)}); make them again"
        raise UserError(f"{kind.name} of {index.split}: {differing}")
    chunks = _chunks(opened, masked, index.split, kind)
    sweep = ThresholdSweep(len(index.classes) + 1, thresholds)
    counter = Progress(f"evaluating {kind.name} of {index.split}", len(masked), enabled=progress)
    scales: set[float] = set()
    counted = ImageCounts(("background", *index.classes))
    count = partial(_count, kind=kind, num_classes=sweep.num_classes, thresholds=sweep.thresholds)
    parts = fan_out(count, chunks, images=len(masked), workers=workers)
    for chunk, part in zip(chunks, parts, strict=True):
        sweep.merge(part.sweep)
        scales |= part.scales
        counted.merge(part.images)
        counter.update(len(chunk.records))
    counter.close()
    if images is not None:
        images.merge(counted.at(sweep.best()))
    return _report(sweep, index, len(masked), digests[0], sorted(scales), kind)


@dataclass(frozen=True)
class _Chunk:
    """Some images of one shard."""

    shard: Path
    records: list[Record]


@dataclass(frozen=True)
class _Part:
    """What was counted in a chunk."""

    sweep: ThresholdSweep
    scales: set[float]
    images: ImageCounts


def _chunks(
    shards: Sequence[CamShard | WalkShard], masked: list[Record], split: str, kind: ScoreKind
) -> list[_Chunk]:
    holder = {image_id: shard.path for shard in shards for image_id in shard.ids}
    if missing := [record.id for record in masked if record.id not in holder]:
        raise UserError(
            f"split {split}: {len(missing)} of {len(masked)} images with a mask have no {kind.name} in "
            f"{', '.join(str(shard.path) for shard in shards) or 'no shard'}: "
            f"{listed(missing)}. Make these shards again"
        )
    by_shard: dict[Path, list[Record]] = defaultdict(list)
    for record in masked:
        by_shard[holder[record.id]].append(record)
    return [
        _Chunk(path, records[start : start + CHUNK])
        for path, records in by_shard.items()
        for start in range(0, len(records), CHUNK)
    ]


def _count(chunk: _Chunk, *, kind: ScoreKind, num_classes: int, thresholds: np.ndarray) -> _Part:
    shard = kind.shard(chunk.shard)
    part = _Part(ThresholdSweep(num_classes, thresholds), set(), ImageCounts(range(num_classes)))
    for record in chunk.records:
        assert record.mask is not None  # images without one are in no chunk
        mask = read_mask(record.mask)
        maps = shard[record.id]
        if maps.size != mask.shape:
            raise UserError(
                f"{record.id}: {kind.name} for {maps.size[1]} x {maps.size[0]} pixels in {chunk.shard}, but "
                f"the mask {record.mask} has {mask.shape[1]} x {mask.shape[0]}; make the shard "
                "again, or replace the mask"
            )
        try:
            part.images.add(record.id, part.sweep.update(maps.full(), maps.keys, mask))
        except ValueError as error:
            raise UserError(f"{record.id}: {error} ({chunk.shard}, {record.mask})") from None
        part.scales.update(maps.scales)
    return part


def _report(
    sweep: ThresholdSweep, index: Index, images: int, digest: str, scales: list[float], kind: ScoreKind
) -> dict[str, Any]:
    best = sweep.best()
    confusion = sweep.confusion(best)
    iou = 100 * confusion.iou()
    return {
        "protocol": {
            "split": index.split,
            "images": images,
            "images_without_mask": len(index) - images,
            "classes": len(index.classes) + 1,
            "maps": kind.maps,
            "scales": scales,
            "resolution": "that of each image",
            "background": "label = argmax([threshold, maps]); background where no map exceeds the threshold",
            "ignored": "mask value 255",
            "threshold_chosen": f"best miou of {len(sweep.thresholds)}, on the masks of {index.split}",
            "mean": "over the classes that occur in masks or labels, background included in miou alone",
            "unit": "percent",
            "digest": digest,
        },
        "threshold": float(sweep.thresholds[best]),
        **_percent(confusion.summary()),
        "iou": dict(zip(("background", *index.classes), iou.tolist(), strict=True)),
        "curve": [{"threshold": row.pop("threshold")} | _percent(row) for row in sweep.curve()],
    }


def _percent(fractions: dict[str, float]) -> dict[str, float]:
    return {name: 100 * value for name, value in fractions.items()}
