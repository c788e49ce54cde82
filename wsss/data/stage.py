"""From the configuration to files: the data set and its indexes as a stage of a run."""

from pathlib import Path

from wsss.config import CocoDataset, FolderDataset, ShapesDataset
from wsss.data.archives import fetch_archives
from wsss.data.coco import coco_index, read_annotations
from wsss.data.coco_masks import painted
from wsss.data.folder import folder_index
from wsss.data.index import Index
from wsss.data.palette import voc_palette
from wsss.data.shapes import write_shapes
from wsss.data.voc import voc_index
from wsss.errors import UserError
from wsss.progress import LOGGER, track
from wsss.runs.step import Step
from wsss.store.files import atomic_directory, read_json, write_json
from wsss.store.label_maps import LabelShard, write_label_shard

#: stands in a drawn data set and says which configuration drew it
ABOUT = "about.json"
#: directories of what a run makes of its data set itself: drawn images, and masks by split
DRAWN, PAINTED = "data", "painted"


def draw_data(step: Step, out: Path) -> None:
    """Draw the embedded data set that the section describes, whole or not at all."""
    data: ShapesDataset = step.section
    with atomic_directory(out) as part:
        write_shapes(part, seed=data.seed, train=data.train_images, val=data.val_images, size=data.size)
        write_json(part / ABOUT, {"digest": step.digest})


def fetch_data(step: Step, out: Path) -> None:
    """Fetch and unpack the archives of the run's data set, where there is nothing at its root.

    out: says what was fetched, JSON. Raises UserError for a data set that names no archives.
    """
    data = step.run.config.dataset
    if data.archives is None:
        raise UserError(
            f"run {step.run.name}: its data set names no archives to fetch; list them as "
            "config/archives/voc12.yaml does, in a file that dataset.archives names, or put the data set "
            "where the run expects it"
        )
    made = fetch_archives(data.archives, data.root, progress=step.machine.progress)
    write_json(out, {"run": step.run.name, "digest": step.digest, "root": str(data.root), "archives": made})


def paint_masks(step: Step, split: str, out: Path) -> None:
    """Paint the masks of a split of a COCO data set from its annotations.

    out: directory of the masks, as label maps are.
    """
    data: CocoDataset = step.section
    annotations = read_annotations(data.annotations(split))
    masks = track(
        painted(annotations),
        label=f"painting {split}",
        total=len(annotations.pictures),
        enabled=step.machine.progress,
    )
    write_label_shard(out, masks, digest=step.digest, palette=voc_palette())


def index_split(step: Step, split: str, out: Path) -> None:
    """Check and list the images of a split.

    out: the index, CSV. Raises UserError with every fault of the split, and when images or masks that the run
    makes itself were made for another configuration.
    """
    index = _index(step, split)
    index.write(out)
    LOGGER.info("%s: %d images, %d classes", index.split, len(index), len(index.classes))


def _index(step: Step, split: str) -> Index:
    data, made = step.section, step.run.directory(step.stage)
    if isinstance(data, ShapesDataset):
        step.require(step.stage, read_json(made / DRAWN / ABOUT)["digest"], made / DRAWN)
        return voc_index(made / DRAWN, split, digest=step.digest)
    if isinstance(data, CocoDataset):
        masks = data.masks or made / PAINTED / split
        if data.masks is None:
            step.require(step.stage, LabelShard(masks).digest, masks)
        annotations = read_annotations(data.annotations(split))
        return coco_index(data.root, split, annotations, masks, labels=data.labels, digest=step.digest)
    if isinstance(data, FolderDataset):
        return folder_index(data, split, digest=step.digest)
    return voc_index(data.root, split, digest=step.digest)


def read_index(step: Step, path: Path) -> Index:
    """A split's index, as a later step reads it. Raises UserError when it is of another configuration."""
    index = Index.read(path)
    step.require("index", index.digest, path)
    return index
