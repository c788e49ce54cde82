"""Make the saliency maps of one shard of a split: PoolNet with test-time augmentation."""

from wsss.inference.saliency import poolnet_maps
from wsss.inference.shards import inference_options, open_network
from wsss.models import PoolNet
from wsss.runs.step import Step, parser, run_step
from wsss.store.label_maps import write_label_shard


def make_saliency(step: Step) -> None:
    """Write the shard's saliency maps, 8 bits per pixel, at the images' own resolution."""
    files, section, shard = step.arguments, step.section, step.shard
    index = step.read_index(files.index)
    network, _ = open_network(step, "poolnet", files.model, PoolNet)
    maps = poolnet_maps(
        network,
        index,
        shard=shard,
        scales=section.scales,
        flip=section.flip,
        precision=section.precision,
        **inference_options(step),
    )
    write_label_shard(files.out, maps, digest=step.digest)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "shard", "model", "out")
    run_step("saliency", make_saliency, arguments.parse_args(), devices=1)
