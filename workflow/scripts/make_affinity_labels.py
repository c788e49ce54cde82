"""Make the affinity labels of one shard of a split from its CAMs and its saliency."""

from wsss.data.palette import voc_palette
from wsss.inference.label_making import affinity_labels
from wsss.inference.shards import limit_opencv_threads, open_final_saliency, open_shards, track_shard
from wsss.runs.step import Step, parser, run_step
from wsss.store.cams import CamShard
from wsss.store.label_maps import write_label_shard


def make_affinity_labels(step: Step) -> None:
    """Write the shard's affinity labels, at the images' own resolution; 255 where they are uncertain."""
    files = step.arguments
    limit_opencv_threads(step)
    index = step.read_index(files.index)
    records = index.shard(*step.shard)
    cams = open_shards(step, "cams", CamShard, [files.cams], records)
    saliency = open_final_saliency(step, files.saliency, records)
    labels = affinity_labels(cams, saliency, records, step.section)
    tracked = track_shard(step, "affinity labels", labels, index)
    write_label_shard(files.out, tracked, digest=step.digest, palette=voc_palette())


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "shard", "cams", "saliency?", "out")
    run_step("affinity_labels", make_affinity_labels, arguments.parse_args())
