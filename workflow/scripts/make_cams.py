"""Make the CAMs of one shard of a split: the generator with test-time augmentation."""

from wsss.inference.cams import cam_maps, require_labels
from wsss.inference.prior import open_prior
from wsss.inference.shards import loading_options, require_classes, track_shard
from wsss.runs.step import Step, parser, run_step
from wsss.store.maps import write_shard


def make_cams(step: Step) -> None:
    """Write the shard's CAMs, at the resolution of the generator's features."""
    files = step.arguments
    index = step.read_index(files.index)
    require_labels(index)
    network, classes = open_prior(step, files.model)
    require_classes(index, classes, files.model)
    cams = cam_maps(network, index.shard(*step.shard), step.section.scales, **loading_options(step))
    write_shard(files.out, track_shard(step, "CAMs", cams, index), digest=step.digest)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "shard", "model", "out")
    run_step("cams", make_cams, arguments.parse_args(), devices=1)
