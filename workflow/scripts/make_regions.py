"""Make the regions of one shard of a split: superpixels, or masks from a folder."""

from wsss.inference.region_sources import regions_of
from wsss.inference.shards import track_shard
from wsss.runs.step import Step, parser, run_step
from wsss.store.regions import write_region_shard


def make_regions(step: Step) -> None:
    """Write the shard's regions."""
    files = step.arguments
    index = step.read_index(files.index)
    regions = track_shard(step, "regions", regions_of(index, step.shard, step.section), index)
    write_region_shard(files.out, regions, digest=step.digest)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "shard", "out")
    run_step("regions", make_regions, arguments.parse_args())
