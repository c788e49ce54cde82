"""Paint the masks of a split of COCO, one class per pixel, from its annotations."""

from wsss.data.coco_annotations import read_annotations
from wsss.data.coco_masks import is_paintable, painted
from wsss.data.palette import voc_palette
from wsss.progress import track
from wsss.runs.step import Step, parser, run_step
from wsss.store.label_maps import write_label_shard


def paint_masks(step: Step) -> None:
    """Write the mask of every image of the split."""
    split, out = step.arguments.split, step.arguments.out
    annotations = read_annotations(step.section.annotations(split))
    total = sum(map(is_paintable, annotations.pictures))
    masks = track(painted(annotations), label=f"painting {split}", total=total, enabled=step.machine.progress)
    write_label_shard(out, masks, digest=step.digest, palette=voc_palette())


if __name__ == "__main__":
    arguments = parser(__doc__, "split", "out")
    run_step("index", paint_masks, arguments.parse_args())
