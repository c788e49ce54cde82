"""Read and check every image of a split once, and list them with masks and image-level labels."""

from wsss.data.datasets import index_of
from wsss.data.splits import require_separate
from wsss.progress import LOGGER
from wsss.runs.step import Step, parser, run_step
from wsss.store.files import read_json
from wsss.store.label_maps import LabelShard


def index_images(step: Step) -> None:
    """Write the index of the split, from the data set or from what the run has drawn and painted itself."""
    data, split = step.section, step.arguments.split
    drawn, painted = (step.run.directory(step.stage) / name for name in ("data", f"painted/{split}"))
    if data.kind == "shapes":
        step.require(step.stage, read_json(drawn / "about.json")["digest"], drawn)
    elif data.kind == "coco" and data.masks is None and data.with_masks:
        step.require(step.stage, LabelShard(painted).digest, painted)
    index = index_of(
        data,
        split,
        drawn=drawn,
        painted=painted,
        masks_to=step.arguments.out.with_suffix(".masks"),
        digest=step.digest,
        machine=step.machine,
    )
    require_separate(step.run.config.dataset, index)
    index.write(step.arguments.out)
    LOGGER.info("%s: %d images, %d classes", index.split, len(index), len(index.classes))


if __name__ == "__main__":
    arguments = parser(__doc__, "split", "out")
    run_step("index", index_images, arguments.parse_args())
