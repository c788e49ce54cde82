"""Make the saliency maps of one shard of a split: PoolNet with test-time augmentation."""

from wsss.inference.device_network import DeviceNetwork
from wsss.inference.saliency import poolnet_maps
from wsss.inference.shards import loading_options, open_network, track_shard
from wsss.machine.devices import torch_device
from wsss.models import PoolNet
from wsss.runs.step import Step, parser, run_step
from wsss.store.label_maps import write_label_shard


def make_saliency(step: Step) -> None:
    """Write the shard's saliency maps, 8 bits per pixel, at the images' own resolution."""
    files, section = step.arguments, step.section
    index = step.read_index(files.index)
    model, _ = open_network(step, "poolnet", files.model, PoolNet)
    network = DeviceNetwork(model, torch_device(threads=step.machine.threads), section.precision)
    records, options = index.shard(*step.shard), loading_options(step)
    maps = poolnet_maps(network, records, section.scales, flip=section.flip, **options)
    write_label_shard(files.out, track_shard(step, "saliency", maps, index), digest=step.digest)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "shard", "model", "out")
    run_step("saliency", make_saliency, arguments.parse_args(), devices=1)
