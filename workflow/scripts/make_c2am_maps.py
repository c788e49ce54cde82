"""Make the C2AM maps of one shard of a split: C2AM with test-time augmentation."""

from wsss.inference.cam_network import C2amNetwork
from wsss.inference.saliency import c2am_maps
from wsss.inference.shards import loading_options, open_network, track_shard
from wsss.machine.devices import torch_device
from wsss.models import C2AM
from wsss.runs.step import Step, parser, run_step
from wsss.store.maps import write_shard


def make_c2am_maps(step: Step) -> None:
    """Write the shard's C2AM maps, at the resolution of the network's features."""
    files, section = step.arguments, step.section
    index = step.read_index(files.index)
    model, header = open_network(step, "c2am", files.model, C2AM)
    device = torch_device(threads=step.machine.threads)
    network = C2amNetwork(model, device, section.precision, section.flip, reverse=header.flip)
    maps = c2am_maps(network, index.shard(*step.shard), section.scales, **loading_options(step))
    write_shard(files.out, track_shard(step, "C2AM maps", maps, index), digest=step.digest)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "shard", "model", "out")
    run_step("c2am_maps", make_c2am_maps, arguments.parse_args(), devices=1)
