"""Label maps that leave: a run's pseudo labels or masks, or what `wsss predict` has made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wsss.data.index import Index
from wsss.data.palette import read_mask
from wsss.errors import UserError
from wsss.runs.run import Run, stages
from wsss.runs.stages import STAGES
from wsss.store.files import read_json
from wsss.store.label_maps import LabelShard
from wsss.store.walks import WalkShard

#: the stages whose outputs can leave
LABELS = ("pseudo_labels", "masks")


@dataclass(frozen=True)
class Labeled:
    """A photograph with its label map.

    name: without suffix; may hold folders. path: of the photograph. mask: uint8 (H, W), as viewers turn the
    photograph. scores: of each pixel's label, float (H, W) in [0, 1]; None where unknown. split: of a run.
    """

    name: str
    path: Path
    mask: np.ndarray
    scores: np.ndarray | None = None
    split: str = ""


@dataclass(frozen=True)
class Source:
    """Photographs with label maps. classes: foreground, of values 1, 2, …. splits: their names."""

    about: str
    classes: tuple[str, ...]
    splits: tuple[str, ...]
    parts: Sequence[Any]

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __iter__(self) -> Iterator[Labeled]:
        for part in self.parts:
            yield from part


def of_run(run: Run, stage: str, splits: Sequence[str]) -> Source:
    """The pseudo labels or masks of a run. splits: none for all that there are.

    Raises UserError saying what to type where they are not made, or of another configuration.
    """
    if stage not in stages(run):
        raise UserError(f"run {run.name} has no stage {stage}; it has {', '.join(stages(run))}")
    data = run.config.dataset
    parts = []
    for split in splits or dict.fromkeys((data.train, data.val)):
        shards = [run.output(stage, split, f"{number:03d}") for number in range(run.config.cams.shards)]
        if missing := [path for path in shards if not path.is_dir()]:
            if splits:
                raise UserError(
                    f"{missing[0]}: no such directory; make it: snakemake --cores all {missing[0]}"
                )
            continue
        path = run.output("index", split)
        index = Index.read(path)
        for found, where in [(index.digest, path), *((LabelShard(p).digest, p) for p in shards)]:
            asked = run.digest("index" if where == path else stage)
            if found != asked:
                raise UserError(
                    f"{where}: made from another configuration than config/{run.name}.yaml now describes; "
                    f"make it again: snakemake --cores all {where}"
                )
        parts.append(_Split(run, stage, index, shards))
    if not parts:
        wanted = run.output(stage, data.val if STAGES[stage].split == "val" else data.train, "000")
        raise UserError(
            f"run {run.name} has no {stage} yet; make them: snakemake --cores all {wanted.parent}"
        )
    classes, names = parts[0].index.classes, tuple(part.index.split for part in parts)
    return Source(f"{STAGES[stage].title} of run {run.name}", classes, names, parts)


def of_predictions(directory: Path) -> Source:
    """What `wsss predict` has written. Raises UserError for a directory without its predictions.json."""
    about = read_json(directory / "predictions.json")
    if not isinstance(about, dict) or not {"classes", "photographs"} <= about.keys():
        raise UserError(f"{directory}/predictions.json: not of `wsss predict`; it must hold photographs")
    part = _Predictions(directory, about["photographs"])
    what = f"predictions of run {about.get('run', '?')}"
    return Source(what, tuple(about["classes"]), ("predictions",), [part])


@dataclass(frozen=True)
class _Split:
    run: Run
    stage: str
    index: Index
    shards: Sequence[Path]

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[Labeled]:
        opened = [LabelShard(path) for path in self.shards]
        walks = self._walks()
        for position, record in enumerate(self.index):
            number = position % len(opened)
            mask = opened[number][record.id]
            scores = None if walks is None else _scores(mask, walks[number], record.id)
            yield Labeled(record.id, record.image, mask, scores, self.index.split)

    def _walks(self) -> list[WalkShard] | None:
        """The score maps that pseudo labels were made of, where they are still there."""
        if self.stage != "pseudo_labels":
            return None
        paths = [
            self.run.output("walks", self.index.split, f"{number:03d}") for number in range(len(self.shards))
        ]
        return [WalkShard(path) for path in paths] if all(path.is_file() for path in paths) else None


def _scores(mask: np.ndarray, walks: WalkShard, image_id: str) -> np.ndarray:
    maps = walks[image_id]
    found = np.zeros(mask.shape, np.float32)
    for value, score in zip(maps.keys[1:].tolist(), maps.full(), strict=True):
        found = np.where(mask == value, score, found)
    return found


@dataclass(frozen=True)
class _Predictions:
    directory: Path
    photographs: Sequence[Mapping[str, Any]]

    def __len__(self) -> int:
        return len(self.photographs)

    def __iter__(self) -> Iterator[Labeled]:
        for photo in self.photographs:
            scores = None
            if "confidence" in photo:
                with Image.open(self.directory / photo["confidence"]) as image:
                    scores = np.asarray(image, np.float32) / 255
            mask = self.directory / photo["mask"]
            name = Path(photo["mask"]).relative_to("masks").with_suffix("").as_posix()
            yield Labeled(name, Path(photo["photograph"]), read_mask(mask), scores, "predictions")
