"""Make the pseudo labels of one shard of a split from its walked CAMs, with the dense CRF or regions."""

from wsss.data.palette import voc_palette
from wsss.inference.label_making import pseudo_labels
from wsss.inference.shards import limit_opencv_threads, open_shards, track_shard
from wsss.runs.step import Step, parser, run_step
from wsss.store.label_maps import write_label_shard
from wsss.store.regions import RegionShard
from wsss.store.walks import WalkShard


def make_pseudo_labels(step: Step) -> None:
    """Write the shard's pseudo labels, at the images' own resolution."""
    files = step.arguments
    limit_opencv_threads(step)
    index = step.read_index(files.index)
    records = index.shard(*step.shard)
    walks = open_shards(step, "walks", WalkShard, [files.walks], records)
    regions = None
    if files.regions is not None:
        regions = open_shards(step, "regions", RegionShard, [files.regions], records)
    labels = pseudo_labels(walks, records, step.section, regions=regions)
    tracked = track_shard(step, "pseudo labels", labels, index)
    write_label_shard(files.out, tracked, digest=step.digest, palette=voc_palette())


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "shard", "walks", "regions?", "out")
    run_step("pseudo_labels", make_pseudo_labels, arguments.parse_args())
