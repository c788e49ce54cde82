"""Photographs of one's own: a directory of images, and a table that says what each shows.

The table is described in `wsss.data.tables`. Without a column `split`, the splits are drawn.
"""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from wsss.config import FolderDataset
from wsss.data.formats import COMMON, rank, suffixes, why_unread
from wsss.data.index import Index, Record
from wsss.data.indexing import Checking, build_index
from wsss.data.listing import Names, file_id, nfc
from wsss.data.tables import Row, read_table
from wsss.errors import UserError
from wsss.progress import LOGGER

SHOWN = 10
#: of masks; a JPEG blurs their values
MASK_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".gif"})
NO_MASK = "a mask must be a PNG, whose values nothing changes"


def classes_of(rows: Sequence[Row]) -> tuple[str, ...]:
    """The classes that the table names, by alphabet; of capitals and small letters, which differ."""
    return tuple(
        sorted({label for row in rows for label in row.labels}, key=lambda name: (name.lower(), name))
    )


def in_split(rows: Sequence[Row], split: str, *, val_share: float, seed: int) -> tuple[Row, ...]:
    """The rows of a split: as the table says or, without that column, drawn.

    An image is drawn by its own name and the seed: the images with the least hashes, `val_share` of all but
    at least one, are `val`, the others `train`. So a further image moves hardly any other one. The last image
    of a class stays in `train`.
    """
    if rows[0].split is not None:
        return tuple(row for row in rows if row.split == split)
    drawn = sorted(rows, key=lambda row: blake2b(f"{seed}/{row.image}".encode()).digest())
    count = max(1, round(val_share * len(rows)))
    left = Counter(label for row in rows for label in row.labels)
    chosen: set[int] = set()
    for row in drawn:
        if len(chosen) < count and all(left[label] > 1 for label in row.labels):
            chosen.add(row.line)
            left.subtract(row.labels)
    chosen = chosen or {drawn[0].line}
    return tuple(row for row in rows if (row.line in chosen) == (split == "val"))


def find_images(directory: Path) -> dict[str, Path]:
    """The images under a directory, by their path in it (NFC) without suffix; UserError if there are none.

    Linked directories are followed. Of a photograph in several formats it is the most common one.
    """
    return _images(directory)[0]


def folder_index(
    data: FolderDataset, split: str, *, digest: str = "", checking: Checking | None = None
) -> Index:
    """The checked index of a split. Ids are the images' paths without suffix, with `_` for `/`.

    Of some images there may be no mask. Images that the table does not list, and rows of other splits, are
    counted and told. Raises UserError with every fault of the split.
    """
    rows, (found, left_out) = table_of(data), _images(data.images)
    listed = {_name(row.image, found) for row in rows}
    if unlisted := sorted(found.keys() - listed):
        shown = ", ".join(unlisted[:SHOWN])
        LOGGER.warning(
            "%s: lists no labels of %d images, which are not used: %s", data.labels, len(unlisted), shown
        )
    _tell_other_splits(data, rows, split)
    faults = []
    chosen = in_split(rows, split, val_share=data.val_share, seed=data.seed)
    if not chosen and rows[0].split is not None:
        splits = ", ".join(sorted({row.split or "" for row in rows}))
        faults.append(f"{data.labels}: its splits are {splits}; none is {split}: name them train and val")
    directory = data.masks if data.with_masks else None
    if directory is not None and not directory.is_dir():
        faults.append(f"{directory}: no such directory; it should hold the masks")
    records = []
    masks = None if directory is None else Names(directory, MASK_SUFFIXES, deep=True)
    for row in chosen:
        name = _name(row.image, found)
        if name not in found:
            faults.append(
                f"{data.labels}:{row.line}: {row.image}: {_missing(row.image, data.images, left_out)}"
            )
            continue
        mask = None if masks is None else masks.get(name)
        if masks is not None and mask is None and name in masks.left_out:
            faults.append(f"{masks.left_out[name][0]}: {NO_MASK}")
        records.append(Record(file_id(name), found[name], mask, row.labels))
    if directory is not None and records and not any(record.mask for record in records):
        LOGGER.warning("%s: has no mask of any image of %s, such as %s.png", directory, split, records[0].id)
    classes = tuple(map(nfc, data.classes)) if data.classes is not None else classes_of(rows)
    return build_index(records, classes, split, digest=digest, faults=faults, checking=checking)


def folder_images(data: FolderDataset, split: str) -> dict[str, Path]:
    """The image files of a split by id, as far as they are there."""
    rows, found = table_of(data), find_images(data.images)
    chosen = in_split(rows, split, val_share=data.val_share, seed=data.seed)
    names = (_name(row.image, found) for row in chosen)
    return {file_id(name): found[name] for name in names if name in found}


def table_of(data: FolderDataset) -> tuple[Row, ...]:
    """The table of a data set."""
    return read_table(data.labels, image_column=data.image_column, label_column=data.label_column)


def _tell_other_splits(data: FolderDataset, rows: Sequence[Row], split: str) -> None:
    others = Counter(row.split for row in rows if row.split not in (None, data.train, data.val, split))
    if others:
        counts = ", ".join(f"{count} of {name}" for name, count in sorted(others.items(), key=str))
        LOGGER.warning(
            "%s: rows of other splits than %s and %s are not used: %s",
            *(data.labels, data.train, data.val, counts),
        )


def _images(directory: Path) -> tuple[dict[str, Path], dict[str, list[Path]]]:
    """The images by name, and the files that are none."""
    if not directory.is_dir():
        raise UserError(f"{directory}: no such directory; it should hold the photographs")
    names = Names(directory, suffixes(), deep=True)
    found = {}
    for name, paths in names.found.items():
        found[name], *others = sorted(paths, key=rank)
        if equal := [path for path in others if path.suffix.lower() in COMMON]:
            raise UserError(f"{equal[0]}: {found[name].name} has the same name; one of them must get another")
    if not found:
        reasons = {why_unread(path) for paths in names.left_out.values() for path in paths}
        said = f". There are files that are no photographs: {'; '.join(sorted(reasons))}" if reasons else ""
        raise UserError(f"{directory}: no images ({', '.join(sorted(suffixes()))}){said}")
    return found, names.left_out


def _name(image: str, found: dict[str, Path]) -> str:
    """What an image of the table is called among those found; `\\` may be a sign of its name."""
    for text in (image, image.replace("\\", "/")):
        path = PurePosixPath(text)
        bare = path.with_suffix("").as_posix() if path.name else ""
        if known := next((name for name in (path.as_posix(), bare) if name in found), None):
            return known
    return path.as_posix()


def _missing(image: str, directory: Path, left_out: dict[str, list[Path]]) -> str:
    """Why an image of the table is not among those found."""
    path = PurePosixPath(nfc(image).replace("\\", "/"))
    for name in (path.as_posix(), path.with_suffix("").as_posix() if path.name else ""):
        if name in left_out:
            file = left_out[name][0]
            return f"{file.name} is there, but {why_unread(file)}"
    inside = f" (paths start below {directory})" if path.parts[:1] == (directory.name,) else ""
    return f"no such image in {directory}{inside}"
