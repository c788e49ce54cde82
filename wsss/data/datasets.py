"""The index of a split of any kind of data set."""

from pathlib import Path

from wsss.config import CocoDataset, DatasetConfig, FolderDataset, ShapesDataset
from wsss.data.coco import coco_index, read_annotations
from wsss.data.folder import folder_index
from wsss.data.index import Index
from wsss.data.voc import voc_index


def index_of(data: DatasetConfig, split: str, *, drawn: Path, painted: Path, digest: str) -> Index:
    """Check and list the images of a split.

    drawn: root of the embedded data set, for `shapes`. painted: directory of the split's masks, for COCO's
    without masks of its own. digest: of the configuration. Raises UserError with every fault
    of the split.
    """
    if isinstance(data, ShapesDataset):
        return voc_index(drawn, split, digest=digest)
    if isinstance(data, CocoDataset):
        annotations = read_annotations(data.annotations(split))
        masks = data.masks or painted
        return coco_index(data.root, split, annotations, masks, labels=data.labels, digest=digest)
    if isinstance(data, FolderDataset):
        return folder_index(data, split, digest=digest)
    return voc_index(data.root, split, digest=digest)
