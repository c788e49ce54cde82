"""Make the C2AM maps of one shard of a split: C2AM with test-time augmentation."""

from wsss.inference.saliency import c2am_maps
from wsss.inference.shards import inference_options, open_network
from wsss.models import C2AM
from wsss.runs.step import Step, parser, run_step
from wsss.store.maps import write_shard


def make_c2am_maps(step: Step) -> None:
    """Write the shard's C2AM maps, at the resolution of the network's features."""
    files, section, shard = step.arguments, step.section, step.shard
    index = step.read_index(files.index)
    network, header = open_network(step, "c2am", files.model, C2AM)
    maps = c2am_maps(
        network,
        index,
        reverse=header.flip,
        shard=shard,
        scales=section.scales,
        flip=section.flip,
        precision=section.precision,
        **inference_options(step),
    )
    write_shard(files.out, maps, digest=step.digest)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "shard", "model", "out")
    run_step("c2am_maps", make_c2am_maps, arguments.parse_args(), devices=1)
