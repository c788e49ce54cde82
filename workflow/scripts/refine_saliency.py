"""Refine the C2AM maps of one shard of a split to saliency masks, with the dense CRF."""

from wsss.inference.saliency_masks import saliency_masks
from wsss.inference.shards import limit_opencv_threads, open_shards, track_shard
from wsss.runs.step import Step, parser, run_step
from wsss.store.cams import ActivationShard
from wsss.store.label_maps import write_label_shard


def refine_saliency(step: Step) -> None:
    """Write the shard's masks, at the images' own resolution."""
    files, shard = step.arguments, step.shard
    limit_opencv_threads(step)
    index = step.read_index(files.index)
    maps = open_shards(step, "c2am_maps", ActivationShard, [files.maps], index.shard(*shard))
    masks = saliency_masks(maps, index, step.section, shard=shard)
    write_label_shard(files.out, track_shard(step, "CRF", masks, index), digest=step.digest)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "shard", "maps", "out")
    run_step("saliency_crf", refine_saliency, arguments.parse_args())
