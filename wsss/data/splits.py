"""The images of a split without their masks and labels, and whether train and val share some.

A score over images that were trained on says nothing about others.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from wsss.config import CocoDataset, DatasetConfig, FolderDataset, ShapesDataset, VocDataset
from wsss.data.coco import coco_images
from wsss.data.folder import folder_images
from wsss.data.index import Index
from wsss.data.voc import voc_images
from wsss.errors import UserError
from wsss.progress import LOGGER

SHOWN = 10
#: bytes at a file's end that tell most files of one size apart
TAIL = 512


def require_separate(data: DatasetConfig, index: Index) -> None:
    """Refuse an index of `train` or `val` that shares images with the other split; shapes' are drawn apart.

    With `allow_overlap`, shared images are counted and told. Raises UserError naming them.
    """
    split = index.split
    if isinstance(data, ShapesDataset) or split not in (data.train, data.val):
        return
    other = data.val if split == data.train else data.train
    try:
        there = images_of(data, other)
    except UserError:
        return  # the index of that split says why
    shared = list(shared_images({record.id: record.image for record in index}, there))
    if not shared:
        return
    more = [f"and {len(shared) - SHOWN} more"] if len(shared) > SHOWN else []
    shown = "\n  ".join([*shared[:SHOWN], *more])
    what = f"{len(shared)} of {len(index)} images of {split} are also in {other}"
    if data.allow_overlap:
        LOGGER.warning("%s, which dataset.allow_overlap accepts: scores are too good\n  %s", what, shown)
        return
    raise UserError(
        f"{what}, so scores would be of images that were trained on:\n  {shown}\nRemove them from one of the "
        "splits, or accept it: dataset.allow_overlap: true (wsss init: --allow-overlap)"
    )


def images_of(data: VocDataset | CocoDataset | FolderDataset, split: str) -> dict[str, Path]:
    """The image files of a split by id, not checked. Raises UserError where the split cannot be listed."""
    if isinstance(data, VocDataset):
        return voc_images(data.root, split)
    if isinstance(data, CocoDataset):
        return coco_images(data.root, split, data.annotations(split))
    return folder_images(data, split)


def shared_images(here: Mapping[str, Path], there: Mapping[str, Path]) -> Iterator[str]:
    """In words, the images of one split whose file is in the other one too, or one of equal bytes.

    Files are read only where one in the other split has their size, and whole where their ends are equal.
    """
    places = {path.absolute(): name for name, path in there.items()}
    sizes = defaultdict(list)
    for name, path in there.items():
        sizes[_size(path)].append((name, path))
    ends: dict[int, dict[bytes, list[tuple[str, Path]]]] = {}
    for name, path in here.items():
        if path.absolute() in places:
            yield f"{name} ({path})"
            continue
        size = _size(path)
        if not size or size not in sizes:
            continue
        if size not in ends:
            ends[size] = defaultdict(list)
            for known, copy in sizes[size]:
                ends[size][_end(copy, size)].append((known, copy))
        for known, copy in ends[size].get(_end(path, size), ()):
            if _digest(path) == _digest(copy):
                yield f"{name} ({path}) has the bytes of {known} ({copy})"
                break


def _size(path: Path) -> int:
    """Bytes of a file; 0 where it cannot be opened, which the index says."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _end(path: Path, size: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(max(0, size - TAIL))
        return hashlib.blake2b(file.read(TAIL), digest_size=8).digest()


def _digest(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
