"""How much the chain agrees with itself on an image: an estimate of quality without masks.

Where CAM, pseudo label and the network's mask show a class at the same pixels, each step found what the one
before it had found. Where they differ, one of them is wrong. Steps can also agree on what is wrong.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from wsss.data.index import Index, Record
from wsss.metrics import IGNORE
from wsss.progress import track
from wsss.runs.run import Run, stages
from wsss.store.cams import CamShard
from wsss.store.label_maps import LabelShard


def agreement(maps: Sequence[np.ndarray], values: Sequence[int]) -> float:
    """Mean IoU, in 0..1, over the pairs of label maps (H, W) and the classes of `values`.

    A class that neither map of a pair shows agrees fully if there are no other classes to judge by: an image
    without classes is 1 where no map shows one. Pixels of 255 in either map are not counted. One map alone
    agrees with itself: 1.
    """
    found = []
    for one, other in combinations(maps, 2):
        known = (one != IGNORE) & (other != IGNORE)
        shown = values or sorted((set(np.unique(one[known])) | set(np.unique(other[known]))) - {0})
        for value in shown:
            a, b = (one == value) & known, (other == value) & known
            union = np.count_nonzero(a | b)
            found.append(np.count_nonzero(a & b) / union if union else 0.0)
        if not shown:
            found.append(1.0)
    return float(np.mean(found)) if found else 1.0


def qualities(run: Run, index: Index, *, progress: bool = True) -> Iterator[tuple[Record, float]]:
    """The agreement of CAM, pseudo label and mask on each image of a split, as far as a run has made them.

    The label map of CAMs is by `segmentation.pseudo.threshold`. Files of another configuration are left out.
    """
    shards = run.config.cams.shards
    opened = [_opened(run, index, number) for number in range(shards)]
    for place, record in enumerate(
        track(index, label=f"comparing {index.split}", total=len(index), enabled=progress)
    ):
        cams, labels = opened[place % shards]
        maps = [shard[record.id] for shard in labels]
        if cams is not None:
            maps.append(_labels_of(cams, record.id, run.config.segmentation.pseudo.threshold))
        yield record, agreement(maps, [index.classes.index(name) + 1 for name in record.labels])


def _opened(run: Run, index: Index, number: int) -> tuple[CamShard | None, list[LabelShard]]:
    def there(stage: str) -> Path | None:
        path = run.output(stage, index.split, f"{number:03d}") if stage in stages(run) else None
        return path if path is not None and path.exists() else None

    cams = None if (path := there("cams")) is None else CamShard(path)
    labels = [LabelShard(path) for path in map(there, ("pseudo_labels", "masks")) if path is not None]
    cams = cams if cams is not None and cams.digest == run.digest("cams") else None
    known = {run.digest(stage) for stage in ("pseudo_labels", "masks") if stage in stages(run)}
    return cams, [shard for shard in labels if shard.digest in known]


def _labels_of(cams: CamShard, image_id: str, threshold: float) -> np.ndarray:
    """The label map of CAMs: the strongest class above the threshold."""
    maps = cams[image_id]
    scores = maps.full()
    if not len(scores):
        return np.zeros(maps.size, np.uint8)
    best = scores.argmax(0)
    return np.where(scores.max(0) > threshold, maps.keys[1:][best], 0).astype(np.uint8)
