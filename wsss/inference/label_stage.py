"""From files to files: label maps as stages of a run, made shard by shard, and packed."""

from collections.abc import Sequence
from pathlib import Path

from wsss.data.palette import voc_palette
from wsss.data.stage import read_index
from wsss.errors import UserError
from wsss.exports.server_archive import write_archive
from wsss.inference.label_making import affinity_labels, pseudo_labels
from wsss.inference.shards import keep_to_threads, open_shards, shard_of
from wsss.runs.stages import final_saliency
from wsss.runs.step import Step
from wsss.store.cams import CamShard
from wsss.store.label_maps import LabelShard, write_label_shard
from wsss.store.walks import WalkShard


def label_affinities(
    step: Step, index: Path, cams: Path, shard: int, out: Path, *, saliency: Path | None = None
) -> None:
    """Make the affinity labels of one shard of a split.

    index: of the split. cams, saliency: the shard's; without saliency for a run that has none. shard: its
    number, from 0. out: directory of the labels.
    """
    part = shard_of(step, shard, out)
    keep_to_threads(step)
    images = read_index(step, index)
    records = images.shard(*part)
    scores = open_shards(step, "cams", CamShard, [cams], records)
    salient, stage = None, final_saliency(step.run.config)
    if (stage is None) != (saliency is None):
        has = "no saliency" if stage is None else f"the saliency of stage {stage}"
        raise UserError(f"run {step.run.name} makes its affinity labels with {has}")
    if stage is not None and saliency is not None:
        salient = open_shards(step, stage, LabelShard, [saliency], records)
    labels = affinity_labels(
        scores, salient, images, step.section, shard=part, progress=step.machine.progress
    )
    write_label_shard(out, labels, digest=step.digest, palette=voc_palette())


def label_pixels(step: Step, index: Path, walks: Path, shard: int, out: Path) -> None:
    """Make the pseudo labels of one shard of a split.

    index: of the split. walks: the shard's walked CAMs. shard: its number, from 0. out: directory of the
    labels.
    """
    part = shard_of(step, shard, out)
    keep_to_threads(step)
    images = read_index(step, index)
    scores = open_shards(step, "walks", WalkShard, [walks], images.shard(*part))
    labels = pseudo_labels(scores, images, step.section, shard=part, progress=step.machine.progress)
    write_label_shard(out, labels, digest=step.digest, palette=voc_palette())


def archive_masks(step: Step, index: Path, masks: Sequence[Path], out: Path) -> None:
    """Pack the masks of a split for the evaluation server; for errors see `write_archive`.

    index: of the split. masks: all its shards. out: the archive.
    """
    images = read_index(step, index)
    write_archive(out, open_shards(step, "masks", LabelShard, masks, images), images)
