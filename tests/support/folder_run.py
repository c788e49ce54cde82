"""The run `mine` on six photographs in folders, with its indexes and pseudo labels."""

import json
from pathlib import Path

import numpy as np

from wsss.data.datasets import index_of
from wsss.data.palette import voc_palette
from wsss.runs.run import Run, load_run
from wsss.store.files import write_png, write_text
from wsss.store.label_maps import write_label_shard

SIZE = (24, 32)
LABELS = {"f/a": "cat", "f/b": "cat;dog", "c": "", "d": "dog", "e": "cat", "g": "dog"}


def make_mine(root: Path) -> Run:
    """Write it under `root`, where the process has to be; e and g are of val."""
    for number, name in enumerate(LABELS):
        write_png(root / f"photos/{name}.png", np.full((*SIZE, 3), 30 * number, np.uint8))
    rows = [f"{name}.png,{labels},{'val' if name in 'eg' else 'train'}\n" for name, labels in LABELS.items()]
    write_text(root / "labels.csv", "foto,labels,split\n" + "".join(rows))
    data = {"kind": "folder", "images": "photos", "labels": "labels.csv", "image_column": "foto"}
    config = {"dataset": {**data, "classes": ["cat", "dog"]}, "cams": {"shards": 2}}
    write_text(root / "config/mine.yaml", json.dumps(config))
    mine = load_run("mine")
    for split in ("train", "val"):
        index = index_of(mine.config.dataset, split, digest=mine.digest("index"))
        index.write(mine.output("index", split))
        for shard in range(2):
            maps = [(record.id, square(record.labels)) for record in index.shard(shard, 2)]
            path = mine.output("pseudo_labels", split, f"{shard:03d}")
            write_label_shard(path, maps, digest=mine.digest("pseudo_labels"), palette=voc_palette())
    return mine


def square(labels: tuple[str, ...], value: int = 0) -> np.ndarray:
    """A label map with a square of the first label, or of a value."""
    mask = np.zeros(SIZE, np.uint8)
    if labels:
        mask[5:15, 5:15] = value or ("cat", "dog").index(labels[0]) + 1
    return mask
