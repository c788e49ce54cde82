"""The archive that the evaluation server of PASCAL VOC takes, since the test set's masks are not public.

The server scores `results/VOC2012/Segmentation/comp6_test_cls/<id>.png`: a palette image per test image, of
its size, with values 0..20 (VOC development kit; comp6 is the competition with data of one's own choice).
"""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from wsss.data.images import image_size
from wsss.data.index import Index, Record
from wsss.data.palette import voc_palette
from wsss.data.voc import VOC_CLASSES
from wsss.errors import UserError
from wsss.store.files import atomic
from wsss.store.label_maps import LabelShard

SHOWN_FAULTS = 20


def write_archive(path: Path, masks: Mapping[str, LabelShard], index: Index) -> None:
    """Write the masks of a split as a tar, after looking at every file of it.

    masks: by image id, the shard that holds its mask; of every image of the index. The same masks give the
    same bytes. Raises UserError, and writes nothing, when the classes are not VOC's, and with every mask that
    the server would not take.
    """
    if index.classes != VOC_CLASSES:
        raise UserError(f"split {index.split}: its classes are not VOC's, which the evaluation server scores")
    faults = [fault for record in index for fault in _faults(masks[record.id].path(record.id), record)]
    if faults:
        more = [f"and {len(faults) - SHOWN_FAULTS} more"] if len(faults) > SHOWN_FAULTS else []
        raise UserError("\n  ".join([f"{path}: not for the server", *faults[:SHOWN_FAULTS], *more]))
    directory = f"results/VOC2012/Segmentation/comp6_{index.split}_cls"
    with atomic(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive:
        for record in index:
            content = masks[record.id].path(record.id).read_bytes()
            about = tarfile.TarInfo(f"{directory}/{record.id}.png")
            about.size, about.mode = len(content), 0o644
            archive.addfile(about, io.BytesIO(content))


def _faults(path: Path, record: Record) -> list[str]:
    """What the server would not take of a mask."""
    try:
        with Image.open(path) as image:
            mode, values, palette = image.mode, np.array(image), image.getpalette()
    except (OSError, SyntaxError) as error:
        return [f"{path}: cannot be read ({error})"]
    if mode != "P":
        return [f"{path}: mode {mode}, but must be P, a palette image"]
    faults = []
    height, width = image_size(record.image)
    if values.shape != (height, width):
        faults.append(f"{path}: {values.shape[1]} x {values.shape[0]}, but its image is {width} x {height}")
    colors = 3 * (len(VOC_CLASSES) + 1)
    if (palette or [])[:colors] != voc_palette().ravel().tolist()[:colors]:
        faults.append(f"{path}: its palette is not VOC's")
    if int(values.max()) > len(VOC_CLASSES):
        faults.append(f"{path}: value {values.max()}, but 0 to {len(VOC_CLASSES)} are allowed")
    return faults
