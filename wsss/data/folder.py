"""Photographs of one's own: a directory of images, and a table that says what each shows.

The table is a CSV with the columns `image` (a file's name in the directory, with or without suffix) and
`labels`, and `split` where the splits are given. Several labels stand in one cell, separated by `;`, `|` or
`,`.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from wsss.config import FolderDataset
from wsss.data.index import Index, Record, build_index
from wsss.data.photos import SUFFIXES
from wsss.errors import UserError
from wsss.progress import LOGGER

IMAGE, LABELS, SPLIT = "image", "labels", "split"
#: what may separate the table's columns, and the labels in a cell
COLUMN_MARKS, LABEL_MARKS = ",;\t", r"[;|,]"
SHOWN = 10


@dataclass(frozen=True)
class Row:
    """A line of the table: where it stands, the image's name, its labels, and its split, if that is given."""

    line: int
    image: str
    labels: tuple[str, ...]
    split: str | None


def read_table(path: Path) -> tuple[Row, ...]:
    """Read the table of labels. Raises UserError naming the file and the line that does not fit."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; it should be a CSV with the columns image and labels"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a text file in UTF-8 ({error})") from None
    header, _, _ = text.partition("\n")
    mark = next((mark for mark in COLUMN_MARKS if mark in header), ",")
    lines = csv.reader(text.splitlines(), delimiter=mark)
    columns = [column.strip().lower() for column in next(lines, [])]
    needed, known = {IMAGE, LABELS}, {IMAGE, LABELS, SPLIT}
    if not needed <= set(columns) or len(set(columns)) < len(columns):
        raise UserError(
            f"{path}: the columns are {', '.join(columns) or '(none)'}; they must be image and labels"
        )
    rows = []
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            raise UserError(f"{path}:{lines.line_num}: {len(cells)} cells, not {len(columns)}")
        cell = {name: cells[place].strip() for place, name in enumerate(columns) if name in known}
        labels = [label.strip() for label in re.split(LABEL_MARKS, cell[LABELS])]
        split = cell.get(SPLIT)
        if split is not None and not re.fullmatch(r"[A-Za-z0-9_-]+", split):
            raise UserError(
                f"{path}:{lines.line_num}: split {split!r}; must be of letters and digits, as train"
            )
        unique = tuple(dict.fromkeys(label for label in labels if label))
        rows.append(Row(lines.line_num, cell[IMAGE], unique, split))
    if not rows:
        raise UserError(f"{path}: lists no images; each needs a row of its own")
    return tuple(rows)


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
    """The images under a directory, by their path in it without suffix; UserError if there are none."""
    if not directory.is_dir():
        raise UserError(f"{directory}: no such directory; it should hold the photographs")
    found: dict[str, Path] = {}
    for path in sorted(directory.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        name = path.relative_to(directory).with_suffix("").as_posix()
        if name in found:
            raise UserError(f"{path}: {found[name].name} has the same name; one of them must get another")
        found[name] = path
    if not found:
        raise UserError(f"{directory}: no images ({', '.join(sorted(SUFFIXES))})")
    return found


def folder_index(data: FolderDataset, split: str, *, digest: str = "") -> Index:
    """The checked index of a split. Ids are the images' paths without suffix, with `_` for `/`.

    Of some images there may be no mask. Images that the table does not list are counted and told. Raises
    UserError with every fault of the split.
    """
    images, labels, masks = data.images, data.labels, data.masks
    rows, found = read_table(labels), find_images(images)
    listed = {_name(row.image, found): row for row in rows}
    if unlisted := sorted(found.keys() - listed.keys()):
        shown = ", ".join(unlisted[:SHOWN])
        LOGGER.warning(
            "%s: lists no labels of %d images, which are not used: %s", labels, len(unlisted), shown
        )
    records, faults = [], []
    chosen = in_split(rows, split, val_share=data.val_share, seed=data.seed)
    if not chosen and rows[0].split is not None:
        faults.append(f"{labels}: its splits are {', '.join(sorted({row.split or '' for row in rows}))}")
    for row in chosen:
        name = _name(row.image, found)
        if name not in found:
            faults.append(f"{labels}:{row.line}: {row.image}: no such image in {images}")
            continue
        mask = None if masks is None else masks / f"{name}.png"
        held = mask if mask is not None and mask.is_file() else None
        records.append(Record(name.replace("/", "_"), found[name], held, row.labels))
    if masks is not None and records and not any(record.mask for record in records):
        LOGGER.warning("%s: has no mask of any image of %s, such as %s.png", masks, split, records[0].id)
    names = classes_of(rows) if data.classes is None else data.classes
    return build_index(records, names, split, digest=digest, faults=faults)


def _name(image: str, found: dict[str, Path]) -> str:
    """What an image of the table is called among those found."""
    path = PurePosixPath(image.replace("\\", "/"))
    bare = path.with_suffix("").as_posix() if path.suffix.lower() in SUFFIXES else path.as_posix()
    return bare if bare in found else path.as_posix()
