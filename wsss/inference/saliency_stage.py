"""From files to files: maps and masks of saliency as stages of a run, shard by shard, and their scores."""

from collections.abc import Sequence
from pathlib import Path

from wsss.data.stage import read_index
from wsss.evaluation.saliency import evaluate_saliency
from wsss.inference.saliency import c2am_maps, poolnet_maps, saliency_masks
from wsss.inference.shards import keep_to_threads, on_this_machine, open_shards, shard_of
from wsss.models import C2AM, PoolNet
from wsss.progress import LOGGER
from wsss.runs.step import Step
from wsss.store.cams import ActivationShard, CamShard
from wsss.store.files import write_csv, write_json
from wsss.store.label_maps import LabelShard, write_label_shard
from wsss.store.maps import write_shard
from wsss.store.networks import load_network


def infer_c2am(step: Step, index: Path, model: Path, shard: int, out: Path) -> None:
    """Make the C2AM maps of one shard of a split.

    index: of the split. model: C2AM's. shard: its number, from 0. out: the shard's score maps.
    """
    part = shard_of(step, shard, out)
    images = read_index(step, index)
    network, about = load_network(model, C2AM)
    step.require("c2am", about.digest, model)
    maps = c2am_maps(
        network,
        images,
        reverse=about.flip,
        shard=part,
        scales=step.section.scales,
        flip=step.section.flip,
        precision=step.section.precision,
        **on_this_machine(step),
    )
    write_shard(out, maps, digest=step.digest)


def refine_shard(step: Step, index: Path, maps: Path, shard: int, out: Path) -> None:
    """Make the saliency masks of one shard of a split, with the dense CRF.

    index: of the split. maps: the shard's C2AM maps. shard: its number, from 0. out: directory of the masks.
    """
    part = shard_of(step, shard, out)
    keep_to_threads(step)
    images = read_index(step, index)
    shards = open_shards(step, "c2am_maps", ActivationShard, [maps], images.shard(*part))
    masks = saliency_masks(shards, images, step.section, shard=part, progress=step.machine.progress)
    write_label_shard(out, masks, digest=step.digest)


def infer_saliency(step: Step, index: Path, model: Path, shard: int, out: Path) -> None:
    """Make PoolNet's saliency of one shard of a split.

    index: of the split. model: PoolNet's. shard: its number, from 0. out: directory of the maps.
    """
    part = shard_of(step, shard, out)
    images = read_index(step, index)
    network, about = load_network(model, PoolNet)
    step.require("poolnet", about.digest, model)
    maps = poolnet_maps(
        network,
        images,
        shard=part,
        scales=step.section.scales,
        flip=step.section.flip,
        precision=step.section.precision,
        **on_this_machine(step),
    )
    write_label_shard(out, maps, digest=step.digest)


def score_saliency(
    step: Step,
    index: Path,
    *,
    cams: Sequence[Path],
    c2am: Sequence[Path],
    crf: Sequence[Path],
    poolnet: Sequence[Path],
    out: Path,
    curve: Path,
) -> None:
    """Score the saliency of a split, of all kinds that the run has, against the split's masks.

    index: of the split. cams, c2am, crf, poolnet: all shards of each in their order; none of a kind that the
    run has not, or is given what comes after it. out: the metrics, JSON. curve: the mIoU at every threshold,
    CSV.
    """
    images = read_index(step, index)
    masked = [record for record in images if record.mask is not None]
    open_shards(step, "cams", CamShard, cams, masked)
    if c2am:
        open_shards(step, "c2am_maps", ActivationShard, c2am, masked)
    if crf:
        open_shards(step, "saliency_crf", LabelShard, crf, masked)
    if poolnet:
        open_shards(step, "saliency", LabelShard, poolnet, masked)
    kinds = {name: paths for name, paths in (("c2am", c2am), ("crf", crf), ("poolnet", poolnet)) if paths}
    result = evaluate_saliency(
        kinds,
        cams,
        images,
        thresholds=step.section.thresholds,
        workers=step.machine.threads,
        progress=step.machine.progress,
    )
    for name in kinds:
        scores = (result[name][key] for key in ("miou", "mae", "f_measure"))
        LOGGER.info("%s: mIoU %.2f %%, MAE %.2f %%, F %.2f %%", name, *scores)
    write_json(out, {"run": step.run.name, "digest": step.digest, "kinds": list(kinds), **result})
    write_csv(curve, result["curve"])
