"""Pack the masks of a split for the evaluation server of PASCAL VOC."""

from wsss.exports.server_archive import write_archive
from wsss.inference.shards import open_shards
from wsss.runs.step import Step, parser, run_step
from wsss.store.label_maps import LabelShard


def pack_masks(step: Step) -> None:
    """Write the archive of all masks of the split."""
    files = step.arguments
    index = step.read_index(files.index)
    masks = open_shards(step, "masks", LabelShard, files.masks, index)
    write_archive(files.out, masks, index)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "masks+", "out")
    run_step("masks", pack_masks, arguments.parse_args())
