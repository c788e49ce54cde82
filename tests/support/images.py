"""A few small images with labels, CAMs and saliency masks, and the sections that train on them."""

from pathlib import Path
from typing import Any

import numpy as np
from support.tiny import CLASSES, NETWORK

from wsss.config import C2amConfig, PoolnetConfig
from wsss.data.index import Index, Record
from wsss.store.cams import CamMaps
from wsss.store.files import write_png
from wsss.store.label_maps import write_label_shard
from wsss.store.maps import write_shard

#: of the images, (H, W); the last has no labels
SIZES = [(48, 64), (48, 64), (64, 48), (48, 64), (40, 56), (48, 48)]
LABELS = [("a",), ("b", "c"), ("a", "b"), ("c",), ("b",), ()]


def make_images(root: Path, sizes: list[tuple[int, int]] | None = None) -> Index:
    """Images of noise with a bright square, and masks of it: 0, a class, 255."""
    rng = np.random.default_rng(0)
    records = []
    for i, (size, labels) in enumerate(zip(sizes or SIZES, LABELS, strict=True)):
        image = rng.integers(0, 120, (*size, 3), dtype=np.uint8)
        mask = np.zeros(size, np.uint8)
        if labels:
            image[12:36, 12:36] += 100
            mask[12:36, 12:36] = CLASSES.index(labels[0]) + 1
            mask[12:36, 36:38] = 255
        paths = root / f"{i}.png", root / f"mask{i}.png"
        write_png(paths[0], image)
        write_png(paths[1], mask)
        records.append(Record(f"id{i}", paths[0], paths[1], labels))
    return Index(tuple(records), CLASSES, "train", "d")


def make_cams(path: Path, index: Index, digest: str = "d") -> Path:
    """CAMs of the labels' classes: high on the left half."""
    maps = []
    for record, size in zip(index, SIZES, strict=True):
        keys = np.array([0, *(CLASSES.index(name) + 1 for name in record.labels)])
        array = np.zeros((len(keys) - 1, size[0] // 16, size[1] // 16), np.float32)
        array[..., : size[1] // 32] = 1 + np.arange(len(array), dtype=np.float32)[:, None, None]
        maps.append(CamMaps(record.id, size, keys, {1.0: array}))
    write_shard(path, maps, digest=digest)
    return path


def make_masks(path: Path, index: Index, digest: str = "d") -> Path:
    """Saliency masks, 0 or 255: the left half."""
    masks = []
    for record, size in zip(index, SIZES, strict=True):
        mask = np.zeros(size, np.uint8)
        mask[:, : size[1] // 2] = 255
        masks.append((record.id, mask))
    write_label_shard(path, masks, digest=digest)
    return path


def c2am_section(**keys: Any) -> C2amConfig:
    """A section `saliency.c2am`; `optimisation` and others override what is set here."""
    optimisation = {"batch": 2, "accumulate": 1, "epochs": 2, "precision": "float32", "lr": 0.01}
    optimisation |= keys.pop("optimisation", {})
    return C2amConfig.model_validate(
        {
            "network": NETWORK,
            "optimisation": optimisation,
            "augmentation": {"size": 72, "crop": 64},
            **keys,
        }
    )


def poolnet_section(**optimisation: Any) -> PoolnetConfig:
    """A section `saliency.poolnet`."""
    return PoolnetConfig.model_validate(
        {"network": NETWORK, "optimisation": {"epochs": 1, "accumulate": 2, **optimisation}}
    )
