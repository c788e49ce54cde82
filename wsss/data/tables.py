"""Tables of image-level labels as people and programs write them: spreadsheets' CSV, pandas, one-hot columns.

A row names an image and its labels: several in a cell, in several rows, or a column each that holds 0 or 1.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsss.data.listing import nfc
from wsss.data.text_files import read_text
from wsss.errors import UserError

IMAGE, LABELS, SPLIT = "image", "labels", "split"
#: column names that are understood; others are named with --image-column and --label-column
IMAGE_NAMES, LABEL_NAMES = (IMAGE, "filename", "file_name"), (LABELS, "label")
#: what may separate the table's columns, and the labels in a cell
COLUMN_MARKS, LABEL_MARKS = ",;\t|", r"[;|,\r\n]"
#: characters of a table that a message shows
SHOWN = 200
#: how a sentence about a file that is no table goes on
SHOULD = "it should be a CSV with the columns image and labels"
#: cells of a class's column, beside 1, 0 and -1
_YES = {"true", "t", "yes", "y", "x", "✓", "✔"}
_NO = {"", "false", "f", "no", "n", "-", "nan", "na", "none", "null"}
_BINARY = re.compile(r"(0|-?1)(?:[.,]0*)?")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_ENTRY = re.compile(rf"(?:{_QUOTED.pattern})\s*:\s*['\"]?([\w.-]*)")


@dataclass(frozen=True)
class Row:
    """An image of the table: the first line that names it, its name, its labels, and its split, if given."""

    line: int
    image: str
    labels: tuple[str, ...]
    split: str | None


@dataclass(frozen=True)
class _Columns:
    """Where a table's columns stand. labels: of one column; one_hot: class name by column."""

    image: int
    labels: int | None
    one_hot: Mapping[int, str]
    split: int | None


def read_table(
    path: Path, *, image_column: str | None = None, label_column: str | None = None
) -> tuple[Row, ...]:
    """Read the table of labels, an entry per image and split, in the order of the first lines that name them.

    image_column, label_column: names of the columns; None: those in `IMAGE_NAMES` and `LABEL_NAMES`; without
    a column of labels, all others are classes that hold 0 or 1. Raises UserError naming the file and the line
    that does not fit.
    """
    header, lines = _cells(path)
    columns = _columns(path, header, lines, image_column, label_column)
    rows: dict[tuple[str, str | None], Row] = {}
    for number, cells in lines:
        split = None if columns.split is None else cells[columns.split]
        if split is not None and not re.fullmatch(r"[A-Za-z0-9_-]+", split):
            raise UserError(f"{path}:{number}: split {split!r}; must be of letters and digits, as train")
        image = nfc(cells[columns.image])
        if not image:
            raise UserError(f"{path}:{number}: names no image; each row must")
        if columns.labels is None:
            labels = [name for place, name in columns.one_hot.items() if _truth(cells[place])]
        else:
            labels = labels_in(cells[columns.labels])
        before = rows.get((image, split), Row(number, image, (), split))
        unique = tuple(dict.fromkeys((*before.labels, *labels)))
        rows[image, split] = Row(before.line, image, unique, split)
    if not rows:
        raise UserError(f"{path}: lists no images; each needs a row of its own")
    return tuple(rows.values())


def labels_in(cell: str) -> list[str]:
    """The labels of a cell: separated by `;`, `|` or `,`, or a list, or a mapping to 0 and 1, as
    Python, JSON and NumPy write it."""
    text = cell.strip()
    if text[:1] + text[-1:] == "{}" and ":" in text:
        labels = [first or second for first, second, value in _ENTRY.findall(text) if _truth(value)]
    elif text[:1] + text[-1:] in ("[]", "()", "{}"):
        quoted = [first or second for first, second in _QUOTED.findall(text)]
        labels = quoted or text[1:-1].split(",")
    else:
        labels = re.split(LABEL_MARKS, text)
    return [name for name in (nfc(label.strip()) for label in labels) if name]


def _truth(cell: str) -> bool | None:
    """Whether a cell of a class's column says that the image shows it; None where it says neither."""
    word = cell.lower()
    if number := _BINARY.fullmatch(word):
        return number[1] == "1"
    return True if word in _YES else False if word in _NO else None


def _cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header and, with their line numbers, the rows that are not blank; all of the header's length."""
    text = read_text(path, SHOULD)
    mark, skipped = None, 0
    first, behind = _first_line(text)
    while behind and not first.strip():
        text, skipped = behind, skipped + 1
        first, behind = _first_line(text)
    if declared := re.fullmatch(r"\"?sep=(.)\"?\s*", first, re.IGNORECASE):
        mark, text, skipped = declared[1], behind, skipped + 1
        first = _first_line(text)[0]
    mark = mark or next((mark for mark in COLUMN_MARKS if mark in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        rows = [(reader.line_num + skipped, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num + skipped}: not a CSV file ({error})") from None
    kept = []
    for number, cells in rows:
        if not any(cells):
            continue
        while len(cells) > len(header) and not cells[-1]:
            cells.pop()
        if len(cells) != len(header):
            raise UserError(f"{path}:{number}: {len(cells)} cells, not {len(header)}")
        kept.append((number, cells))
    return header, kept


def _first_line(text: str) -> tuple[str, str]:
    """A text's first line and what follows, by the ends of line of any system."""
    first, *behind = re.split(r"\r\n|\r|\n", text, maxsplit=1)
    return first, behind[0] if behind else ""


def _columns(
    path: Path,
    header: Sequence[str],
    lines: Sequence[tuple[int, list[str]]],
    image_column: str | None,
    label_column: str | None,
) -> _Columns:
    names = [name.lower() for name in header]
    _require_names(path, names, lines)
    image = _place(path, names, image_column, IMAGE_NAMES, "image_column")
    labels = _place(path, names, label_column, LABEL_NAMES, "label_column")
    split = names.index(SPLIT) if SPLIT in names else None
    rest = {
        place: nfc(name) for place, name in enumerate(header) if name and place not in (image, labels, split)
    }
    other = ((number, place) for number, cells in lines for place in rest if _truth(cells[place]) is None)
    number, place = next(other, (0, 0)) if labels is None else (0, 0)
    one_hot = labels is None and bool(rest) and bool(lines) and not number
    if image is None or (labels is None and not one_hot):
        named = (", ".join(name for name in names if name) or "(none)")[:SHOWN]
        cell = dict(lines)[number][place][:SHOWN] if number and image is not None else ""
        held = f" (line {number}, {header[place]}: {cell!r})" if cell else ""
        raise UserError(
            f"{path}: the columns are {named}; they must be image and labels (also filename and label), or "
            f"image and a column of 0 and 1 per class{held}; others are named with --image-column and "
            "--label-column (dataset.image_column, dataset.label_column)"
        )
    return _Columns(image, labels, rest if one_hot else {}, split)


def _require_names(path: Path, names: Sequence[str], lines: Sequence[tuple[int, list[str]]]) -> None:
    """Refuse columns of one name, and cells under no name that may be labels (row numbers may not)."""
    if twice := [name for name in dict.fromkeys(names) if name and names.count(name) > 1]:
        raise UserError(f"{path}: the columns are {', '.join(names)}; {twice[0]} stands there twice")
    for place in (place for place, name in enumerate(names) if not name):
        held = [(number, cells[place]) for number, cells in lines if cells[place]]
        if held and not all(cell.isdigit() for _, cell in held):
            raise UserError(
                f"{path}:{held[0][0]}: column {place + 1} has no name but holds {held[0][1]!r}; name it, or "
                'put several labels in one cell, as "cat;dog"'
            )


def _place(path: Path, names: Sequence[str], asked: str | None, known: Sequence[str], key: str) -> int | None:
    """Where a column stands; None where it is not asked for and not there."""
    if asked is not None and asked.strip().lower() not in names:
        raise UserError(
            f"{path}: has no column {asked!r} ({key}); it has {', '.join(name for name in names if name)}"
        )
    wanted = known if asked is None else (asked.strip().lower(),)
    return next((names.index(name) for name in wanted if name in names), None)
