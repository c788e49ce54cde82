"""Make the CAMs of one shard of a split: the generator with test-time augmentation."""

from wsss.inference.cams import cam_maps
from wsss.inference.prior import open_prior
from wsss.inference.shards import inference_options, require_classes
from wsss.runs.step import Step, parser, run_step
from wsss.store.maps import write_shard


def make_cams(step: Step) -> None:
    """Write the shard's CAMs, at the resolution of the generator's features."""
    files, section, shard = step.arguments, step.section, step.shard
    index = step.read_index(files.index)
    model, classes, network = open_prior(step, files.model)
    require_classes(index, classes, files.model)
    cams = cam_maps(
        model,
        index,
        network=network,
        shard=shard,
        scales=section.scales,
        flip=section.flip,
        precision=section.precision,
        **inference_options(step),
    )
    write_shard(files.out, cams, digest=step.digest)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "shard", "model", "out")
    run_step("cams", make_cams, arguments.parse_args(), devices=1)
