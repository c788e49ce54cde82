"""From files to files: the random walk as a stage of a run, shard by shard."""

from pathlib import Path

from wsss.data.stage import read_index
from wsss.inference.shards import keep_to_threads, open_shards, shard_label, shard_of
from wsss.inference.walks import EdgeNetwork, walk_maps
from wsss.machine.devices import torch_device
from wsss.models import AffinityNet
from wsss.progress import track
from wsss.runs.step import Step
from wsss.store.cams import CamShard
from wsss.store.maps import write_shard
from wsss.store.networks import load_network


def walk_shard(step: Step, index: Path, cams: Path, model: Path, shard: int, out: Path) -> None:
    """Let the CAMs of one shard of a split walk.

    index: of the split. cams: the shard's. model: AffinityNet's. shard: its number, from 0. out: the shard's
    walked maps.
    """
    part = shard_of(step, shard, out)
    keep_to_threads(step)
    images = read_index(step, index)
    records = images.shard(*part)
    scores = open_shards(step, "cams", CamShard, [cams], records)
    network, about = load_network(model, AffinityNet)
    step.require("affinity", about.digest, model)
    machine = step.machine
    edges = EdgeNetwork(network, torch_device(threads=machine.threads), step.section.side)
    maps = walk_maps(
        edges, records, scores, step.section, batch=machine.inference_batch, workers=machine.workers
    )
    label = shard_label("walks", images, part)
    walks = track(maps, label=label, total=len(records), enabled=machine.progress)
    write_shard(out, walks, digest=step.digest)
