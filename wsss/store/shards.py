"""Every class of shards by its name, which the stage table knows it by; and saliency, whatever made it."""

from pathlib import Path

import numpy as np

from wsss.store.cams import ActivationShard, CamShard
from wsss.store.label_maps import LabelShard
from wsss.store.regions import RegionShard
from wsss.store.walks import WalkShard

AnyShard = CamShard | ActivationShard | WalkShard | LabelShard | RegionShard

SHARDS: dict[str, type[AnyShard]] = {
    shards.__name__: shards for shards in (CamShard, ActivationShard, WalkShard, LabelShard, RegionShard)
}


def open_saliency(path: Path) -> ActivationShard | LabelShard:
    """A directory of 8-bit maps, or a file of C2AM's score maps. Raises UserError when it is neither."""
    return LabelShard(path) if path.is_dir() else ActivationShard(path)


def saliency_of(shard: ActivationShard | LabelShard, image_id: str) -> np.ndarray:
    """An image's saliency at its own resolution, float32 (H, W) in [0, 1]."""
    if isinstance(shard, LabelShard):
        return shard[image_id].astype(np.float32) / 255
    return shard[image_id].full()
