"""A table of labels, and masks, of photographs that are annotated by a tool or sorted into folders."""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsss.data.folder import find_images
from wsss.data.images import image_size
from wsss.data.palette import voc_palette
from wsss.imports.annotations import CLASS_FOLDERS, Annotations, Entry, matched, read_any, read_file
from wsss.progress import track
from wsss.store.files import atomic, atomic_directory, write_png


@dataclass(frozen=True)
class Understood:
    """What was found with photographs. masks: None where nothing is outlined. said: of it, for people."""

    images: Path
    labels: Path
    masks: Path | None
    classes: tuple[str, ...]
    said: tuple[str, ...]


def table_beside(directory: Path) -> Path | None:
    """The table among photographs, if there is exactly one."""
    tables = [path for path in sorted(directory.iterdir()) if path.suffix.lower() in (".csv", ".tsv")]
    return tables[0] if len(tables) == 1 else None


def understand(images: Path, labels: Path | None, out: Path) -> Understood:
    """Read annotations of any known form, and write them as `labels.csv` and `painted/` under `out`.

    images: directory of the photographs. labels: a file or directory of annotations; None for what is found
    in `images`, which may be a folder per class. Raises UserError where no form fits.
    """
    if labels is None:
        found = read_any(images)
        # Tools have masks and overlays beside the photographs.
        if not found.form.startswith(CLASS_FOLDERS) and (images / "images").is_dir():
            images = images / "images"
    else:
        found = read_any(labels, folders=False) if labels.is_dir() else read_file(labels)
    photographs = find_images(images)
    entries = matched(found.entries, photographs, str(labels or images))
    table = out / "labels.csv"
    _write_table(table, entries, photographs)
    masks = _write_masks(out / "painted", entries, photographs)
    painted = sum(entry.mask is not None for entry in entries)
    return Understood(
        images,
        table,
        out / "painted" if masks else None,
        found.classes,
        tuple(_told(found, entries, photographs, painted)),
    )


def _write_table(path: Path, entries: Sequence[Entry], photographs: dict[str, Path]) -> None:
    """image, labels and, where both train and val are told apart, split."""
    parts = {entry.split for entry in entries}
    split = {"train", "val"} <= parts
    # Names with what separates labels in a cell are quoted.
    marked = any(re.search("[|,]", label) for entry in entries for label in entry.labels)
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", "labels", *(["split"] if split else [])])
        for entry in entries:
            name = f"{entry.image}{photographs[entry.image].suffix}"
            cell = json.dumps(entry.labels, ensure_ascii=False) if marked else ";".join(entry.labels)
            writer.writerow([name, cell, *([entry.split or "train"] if split else [])])


def _write_masks(directory: Path, entries: Sequence[Entry], photographs: dict[str, Path]) -> bool:
    """Paint the masks that are known; whether there are any that show a class."""
    known = [entry for entry in entries if entry.mask is not None]
    if not any(entry.labels for entry in known):
        return False
    with atomic_directory(directory) as part:
        for entry in track(known, label="painting masks", total=len(known), enabled=len(known) >= 1000):
            assert entry.mask is not None
            mask = entry.mask(image_size(photographs[entry.image]))
            write_png(part / f"{entry.image}.png", mask, voc_palette())
    return True


def _told(
    found: Annotations, entries: Sequence[Entry], photographs: dict[str, Path], painted: int
) -> Iterator[str]:
    counts = Counter(label for entry in entries for label in entry.labels)
    shown = ", ".join(f"{name} ({counts[name]})" for name in found.classes)
    yield f"understood as {found.form}: {len(found.classes)} classes, {shown}"
    if empty := sum(not entry.labels for entry in entries):
        yield f"{empty} photographs show none of them"
    splits = Counter(entry.split for entry in entries if entry.split)
    if {"train", "val"} <= splits.keys():
        yield "splits: " + ", ".join(f"{name} {count}" for name, count in sorted(splits.items()))
    if silent := len(photographs) - len(entries):
        yield f"{silent} photographs are not annotated, and are not used"
    if painted and any(entry.labels for entry in entries if entry.mask is not None):
        yield f"{painted} photographs have all objects outlined: their masks score the run, and train nothing"
