"""From the configuration to files: the data set and its indexes as a stage of a run."""

from pathlib import Path

from wsss.config import ShapesDataset
from wsss.data.index import Index
from wsss.data.shapes import write_shapes
from wsss.data.voc import voc_index
from wsss.files import atomic_directory, read_json, write_json
from wsss.progress import LOGGER
from wsss.step import Step

#: stands in a drawn data set and says which configuration drew it
ABOUT = "about.json"


def draw_data(step: Step, out: Path) -> None:
    """Draw the embedded data set that the section describes, whole or not at all."""
    data: ShapesDataset = step.section
    with atomic_directory(out) as part:
        write_shapes(part, seed=data.seed, train=data.train_images, val=data.val_images, size=data.size)
        write_json(part / ABOUT, {"digest": step.digest})


def index_split(step: Step, split: str, out: Path) -> None:
    """Check and list the images of a split.

    out: the index, CSV. Raises UserError with every fault of the split, and when the data set was drawn for
    another configuration.
    """
    if isinstance(step.section, ShapesDataset):
        root = step.run.directory(step.stage) / "data"
        step.require(step.stage, read_json(root / ABOUT)["digest"], root)
    else:
        root = step.section.root
    index = voc_index(root, split, digest=step.digest)
    index.write(out)
    LOGGER.info("%s: %d images, %d classes", index.split, len(index), len(index.classes))


def read_index(step: Step, path: Path) -> Index:
    """A split's index, as a later step reads it. Raises UserError when it is of another configuration."""
    index = Index.read(path)
    step.require("index", index.digest, path)
    return index
