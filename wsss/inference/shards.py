"""The shards that a step is given, opened and checked: made as the run asks, and holding every image."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import cv2

from wsss.data.index import Index, Record
from wsss.errors import UserError
from wsss.machine.devices import torch_device
from wsss.runs.step import Step
from wsss.store.cams import ActivationShard, CamShard
from wsss.store.label_maps import LabelShard
from wsss.store.walks import WalkShard

SHOWN_IDS = 20

Shard = TypeVar("Shard", CamShard, ActivationShard, WalkShard, LabelShard)


def shard_of(step: Step, number: int, out: Path) -> tuple[int, int]:
    """(i, n) of the shard that a step makes, for `Index.shard`. Raises UserError when the run has no such."""
    shards = step.run.config.cams.shards
    if not 0 <= number < shards:
        raise UserError(f"{out}: run {step.run.name} has cams.shards = {shards}, from 0 on")
    return number, shards


def require_classes(index: Index, classes: Sequence[str], model: Path) -> None:
    """Refuse a network that knows other classes than the images have. Raises UserError naming the file."""
    if tuple(classes) != index.classes:
        raise UserError(
            f"{model}: knows {_named(classes)}, split {index.split} has {_named(index.classes)}; "
            "it must be the same ones in the same order"
        )


def keep_to_threads(step: Step) -> None:
    """Let OpenCV, which resizes the maps, use no more cores than the step has.

    A process per shard has one core; OpenCV would take all for each.
    """
    cv2.setNumThreads(step.machine.threads)


def on_this_machine(step: Step) -> dict[str, Any]:
    """How a network looks at a shard here: what changes no result, as arguments of the makers of maps."""
    machine = step.machine
    return {
        "device": torch_device(threads=machine.threads),
        "batch": machine.inference_batch,
        "workers": machine.workers,
        "progress": machine.progress,
    }


def shard_label(what: str, index: Index, shard: tuple[int, int]) -> str:
    """What is made of a shard (i, n) of a split, for its progress: `CAMs of val 1/16`."""
    return f"{what} of {index.split}" + (f" {shard[0] + 1}/{shard[1]}" if shard[1] > 1 else "")


def open_shards(
    step: Step, stage: str, kind: type[Shard], paths: Sequence[Path], records: Iterable[Record]
) -> dict[str, Shard]:
    """By image id, the shard that holds its map.

    stage: that has made the shards, each a `kind`. records: images that must be there. Raises UserError for a
    shard of another configuration, and naming the images that are in none.
    """
    holder: dict[str, Shard] = {}
    for path in paths:
        shard = kind(path)
        step.require(stage, shard.digest, path)
        holder |= dict.fromkeys(shard.ids, shard)
    missing = [record.id for record in records if record.id not in holder]
    if missing:
        shown = ", ".join(missing[:SHOWN_IDS])
        more = f" and {len(missing) - SHOWN_IDS} more" if len(missing) > SHOWN_IDS else ""
        raise UserError(
            f"{stage}: {len(missing)} images are in none of the {len(paths)} shards given: "
            f"{shown}{more}. Make the shards again"
        )
    return holder


def _named(classes: Sequence[str]) -> str:
    return f"{len(classes)} classes ({', '.join(classes[:4])}{', …' if len(classes) > 4 else ''})"
