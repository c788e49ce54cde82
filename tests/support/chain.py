"""A run of small images from its CAMs on: its configuration, its steps, and the files it begins with."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from support.images import LABELS, SIZES, make_cams, make_images, make_masks
from support.tiny import BACKBONE, CLASSES, load_tiny, step_of, training

from wsss.data.index import Index
from wsss.data.palette import read_mask, voc_palette
from wsss.runs.step import Step
from wsss.store.cams import CamShard
from wsss.store.label_maps import write_label_shard
from wsss.store.maps import write_shard
from wsss.store.walks import SCALE, WalkMaps

CROP = {"crop": 32, "min_side": 40, "max_side": 56}
#: sections of the last two stages, small
AFFINITY: dict[str, Any] = {
    "labels": {"iterations": 1},
    "training": training(CROP, epochs=2, batch=2) | {"radius": 3},
    "walk": {"side": 64},
}
SEGMENTATION: dict[str, Any] = {
    "training": training(CROP, epochs=2, batch=2),
    "masks": {"scales": [0.5, 1.0], "crf": {"iterations": 1}},
}

__all__ = ["BACKBONE", "CLASSES", "LABELS", "SIZES", "Toy", "walks_of"]


class Toy:
    """The run `toy` under `root`, where the process has to be, its index and its CAMs.

    sections: of its configuration, merged into the small ones; `saliency` is the masks of the CRF, or none.
    """

    def __init__(self, root: Path, *, saliency: str = "c2am_h", **sections: Mapping[str, Any]) -> None:
        self.root = root
        self.run = load_tiny(
            root,
            "toy",
            cams={"shards": 1},
            saliency={"method": saliency, "refine": "none"},
            affinity=_merged(AFFINITY, sections.get("affinity", {})),
            segmentation=_merged(SEGMENTATION, sections.get("segmentation", {})),
            machine={"progress": False},
        )
        self.index: Index = replace(make_images(root / "data"), digest=self.run.digest("index"))
        self.index_path = root / "train.csv"
        self.index.write(self.index_path)
        self.cams = make_cams(root / "cams.safetensors", self.index, self.run.digest("cams"))
        self.saliency = None
        if saliency != "none":
            self.saliency = make_masks(root / "crf", self.index, self.run.digest("saliency_crf"))

    def step(self, stage: str, threads: int = 1, **files: Any) -> Step:
        """A step of the run, as its script has it: with these files, the run's index and the first shard."""
        defaults = {"index": self.index_path, "shard": 0, "regions": None, "images": self.root / "images.csv"}
        return step_of(self.run, stage, threads=threads, **(defaults | files))

    def truth(self, stage: str, name: str = "truth") -> Path:
        """A shard of the images' own masks, as if a stage had made them; 255 stays."""
        maps = [(record.id, read_mask(record.mask)) for record in self.index if record.mask]
        path = self.root / name
        write_label_shard(path, maps, digest=self.run.digest(stage), palette=voc_palette())
        return path


def walks_of(toy: Toy) -> Path:
    """Walks of the toy's CAMs that walked nowhere."""
    rng = np.random.default_rng(3)
    maps = [
        WalkMaps(
            each.id,
            each.size,
            each.keys,
            {SCALE: rng.random((len(each.keys) - 1, *(-(-side // 4) for side in each.size)), np.float32)},
        )
        for each in CamShard(toy.cams)
    ]
    path = toy.root / "walks.safetensors"
    write_shard(path, maps, digest=toy.run.digest("walks"))
    return path


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(one)
    for key, value in other.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, Mapping) else value
    return merged


def classes_of(labels: np.ndarray) -> set[int]:
    """The values that a label map holds."""
    return set(np.unique(labels).tolist())
