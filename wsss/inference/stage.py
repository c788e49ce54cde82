"""From files to files: the inference of CAMs as a stage of a run."""

from pathlib import Path

from wsss.data.stage import read_index
from wsss.inference.cams import cam_maps
from wsss.inference.shards import on_this_machine, require_classes, shard_of
from wsss.models import Classifier
from wsss.runs.step import Step
from wsss.store.maps import write_shard
from wsss.store.networks import load_network


def infer_cams(step: Step, index: Path, model: Path, shard: int, out: Path) -> None:
    """Make the CAMs of one shard of a split.

    index: of the split. model: the generator. shard: its number, from 0. out: the shard's score maps.
    Raises UserError when the run has no such shard.
    """
    part = shard_of(step, shard, out)
    images = read_index(step, index)
    network, about = load_network(model, Classifier)
    step.require("priors", about.digest, model)
    require_classes(images, about.classes, model)
    maps = cam_maps(
        network,
        images,
        shard=part,
        scales=step.section.scales,
        flip=step.section.flip,
        precision=step.section.precision,
        **on_this_machine(step),
    )
    write_shard(out, maps, digest=step.digest)
