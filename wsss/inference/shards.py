"""Opens the shards that a step reads, and checks that they match its run and hold every image."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import cv2

from wsss.data.index import Index, Record
from wsss.errors import UserError, listed
from wsss.progress import track
from wsss.runs.choices import final_saliency
from wsss.runs.stages import STAGES
from wsss.runs.step import Step
from wsss.store.label_maps import LabelShard
from wsss.store.shards import AnyShard

if TYPE_CHECKING:
    from wsss.models import Classifier
    from wsss.store.networks import Header, Net

Item = TypeVar("Item")
Shard = TypeVar("Shard", bound=AnyShard)


def open_network(
    step: Step, stage: str, path: Path, architecture: "type[Net]", **options: Any
) -> "tuple[Net, Header]":
    """The network that a stage has trained, in evaluation mode, and its header.

    options and errors: as `load_network`. Also raises UserError when it belongs to another configuration.
    """
    # Imported here: torch and timm take seconds to import, which steps without a network do not need.
    from wsss.store.networks import load_network

    network, header = load_network(path, architecture, **options)
    step.require(stage, header.digest, path)
    return network, header


def require_classes(index: Index, classes: Sequence[str], model: Path) -> None:
    """Refuse a network that knows other classes than the images have. Raises UserError naming the file."""
    if tuple(classes) != index.classes:
        raise UserError(
            f"{model}: knows {_named(classes)}, split {index.split} has {_named(index.classes)}; "
            "it must be the same ones in the same order"
        )


def open_oc(step: Step, path: Path, images: Index) -> "tuple[Classifier, Header]":
    """The ordinary classifier that a generator is trained against, on images of the same classes."""
    from wsss.models import Classifier

    section = step.section
    norm = section.noc.oc_norm if section.method == "pnoc" else "fix"
    oc, header = open_network(step, "oc", path, Classifier, norm=norm, freeze=section.network.freeze)
    require_classes(images, header.classes, path)
    return oc, header


def limit_opencv_threads(step: Step) -> None:
    """Limit OpenCV, which resizes maps, to the step's threads; by default every process uses all cores."""
    cv2.setNumThreads(step.machine.threads)


def loading_options(step: Step) -> dict[str, Any]:
    """Images per batch and processes that load them: arguments that change no result."""
    return {"batch": step.machine.inference_batch, "workers": step.machine.workers}


def evaluation_options(step: Step) -> dict[str, Any]:
    """Processes and progress of an evaluation: arguments that change no result."""
    return {"workers": step.machine.threads, "progress": step.machine.progress}


def track_shard(step: Step, what: str, maps: Iterable[Item], index: Index) -> Iterator[Item]:
    """The maps of the step's shard, one per image, while progress is shown: `CAMs of val 1/16`."""
    (number, shards), total = step.shard, len(index.shard(*step.shard))
    label = f"{what} of {index.split}" + (f" {number + 1}/{shards}" if shards > 1 else "")
    return track(maps, label=label, total=total, enabled=step.machine.progress)


def open_shards(
    step: Step, stage: str, kind: type[Shard], paths: Sequence[Path], records: Iterable[Record]
) -> dict[str, Shard]:
    """By image id, the shard that holds its map.

    stage: that makes the shards. kind: class of these shards. records: images that must be there. Raises
    UserError for a shard of another configuration, and naming the images that are in none; TypeError for
    another class than the stage writes.
    """
    if kind.__name__ != STAGES[stage].shards:
        raise TypeError(f"{stage} writes {STAGES[stage].shards}, which no {kind.__name__} reads")
    holder: dict[str, Shard] = {}
    for path in paths:
        shard = kind(path)
        step.require(stage, shard.digest, path)
        holder |= dict.fromkeys(shard.ids, shard)
    missing = [record.id for record in records if record.id not in holder]
    if missing:
        raise UserError(
            f"{stage}: {len(missing)} images are in none of the {len(paths)} shards given: "
            f"{listed(missing)}. Make the shards again"
        )
    return holder


def open_final_saliency(
    step: Step, path: Path | None, records: Iterable[Record]
) -> dict[str, LabelShard] | None:
    """By image id, the shard of saliency that later stages read; None in a run without saliency.

    Raises UserError when `path` is missing in a run with saliency, or present in one without, and as
    `open_shards`.
    """
    stage = final_saliency(step.run.config)
    if (stage is None) != (path is None):
        uses = "no saliency" if stage is None else f"the saliency of stage {stage}"
        raise UserError(f"run {step.run.name} makes its affinity labels with {uses}")
    return None if stage is None or path is None else open_shards(step, stage, LabelShard, [path], records)


def open_pseudo_labels(
    step: Step, index: Path, labels: Sequence[Path]
) -> tuple[Index, dict[str, LabelShard]]:
    """A split, and by image id the shard of its pseudo labels; no shard where there are no `labels`."""
    images = step.read_index(index)
    return images, open_shards(step, "pseudo_labels", LabelShard, labels, images) if labels else {}


def _named(classes: Sequence[str]) -> str:
    return f"{len(classes)} classes ({', '.join(classes[:4])}{', …' if len(classes) > 4 else ''})"
