"""Spread the CAMs of one shard of a split by a random walk between the edges that AffinityNet predicts."""

from wsss.inference.shards import (
    limit_opencv_threads,
    loading_options,
    open_network,
    open_shards,
    track_shard,
)
from wsss.inference.walks import EdgeNetwork, walk_maps
from wsss.machine.devices import torch_device
from wsss.models import AffinityNet
from wsss.runs.step import Step, parser, run_step
from wsss.store.cams import CamShard
from wsss.store.maps import write_shard


def walk_cams(step: Step) -> None:
    """Write the shard's walked CAMs, at a quarter of the images' resolution."""
    files = step.arguments
    limit_opencv_threads(step)
    index = step.read_index(files.index)
    records = index.shard(*step.shard)
    cams = open_shards(step, "cams", CamShard, [files.cams], records)
    network, _ = open_network(step, "affinity", files.model, AffinityNet)
    edges = EdgeNetwork(network, torch_device(threads=step.machine.threads), step.section.side)
    walks = walk_maps(edges, records, cams, step.section, **loading_options(step))
    write_shard(files.out, track_shard(step, "walks", walks, index), digest=step.digest)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "shard", "cams", "model", "out")
    run_step("walks", walk_cams, arguments.parse_args(), devices=1)
