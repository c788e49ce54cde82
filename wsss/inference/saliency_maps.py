"""Saliency as later steps read it, whatever made it: score maps of C2AM, or maps of 8 bits."""

from pathlib import Path

import numpy as np

from wsss.store.cams import ActivationShard
from wsss.store.label_maps import LabelShard

SaliencyShard = ActivationShard | LabelShard


def open_saliency(path: Path) -> SaliencyShard:
    """A directory of 8-bit maps, or a file of score maps. Raises UserError when it is neither."""
    return LabelShard(path) if path.is_dir() else ActivationShard(path)


def saliency_of(shard: SaliencyShard, image_id: str) -> np.ndarray:
    """An image's saliency at its own resolution, float32 (H, W) in [0, 1]."""
    if isinstance(shard, LabelShard):
        return shard[image_id].astype(np.float32) / 255
    return shard[image_id].full()
