"""The index of a split of any kind of data set."""

from pathlib import Path

from wsss.config import CocoDataset, DatasetConfig, FolderDataset, MachineConfig, ShapesDataset
from wsss.data.coco import coco_index
from wsss.data.coco_annotations import read_annotations
from wsss.data.folder import folder_index
from wsss.data.index import Index
from wsss.data.indexing import Checking
from wsss.data.voc import voc_index


def index_of(
    data: DatasetConfig,
    split: str,
    *,
    drawn: Path | None = None,
    painted: Path | None = None,
    masks_to: Path | None = None,
    digest: str = "",
    machine: MachineConfig | None = None,
) -> Index:
    """Check and list the images of a split.

    drawn: root of the embedded data set, for `shapes`. painted: directory of the split's masks, for COCO's
    without masks of its own. masks_to: directory of masks that are converted to class values or turned
    upright; None: they are only checked. digest: of the configuration. machine: its `threads` decode
    images. Raises UserError with every fault of the split.
    """
    if isinstance(data, ShapesDataset):
        assert drawn is not None, "shapes are drawn first"
        return voc_index(drawn, split, digest=digest)
    machine = machine or MachineConfig()
    form = data.mask_values, data.masks_orientation
    checking = Checking(*form, masks_to, threads=machine.threads, progress=machine.progress)
    if isinstance(data, CocoDataset):
        return coco_index(
            data.root,
            split,
            read_annotations(data.annotations(split)),
            (data.masks or painted) if data.with_masks else None,
            labels=data.labels,
            painted=data.masks is None,
            digest=digest,
            checking=checking,
        )
    if isinstance(data, FolderDataset):
        return folder_index(data, split, digest=digest, checking=checking)
    return voc_index(data.root, split, masked=data.with_masks, digest=digest, checking=checking)
