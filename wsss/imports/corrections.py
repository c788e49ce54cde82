"""Corrected masks and labels come back: a run that extends the corrected one, and makes again what changes.

Corrected masks replace the pseudo labels of their images. Corrected labels become a table of their own, so
that everything which learns from labels is trained again. All other stages remain the extended run's.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np

from wsss.config.document import document_text
from wsss.data.folder import find_images
from wsss.data.images import image_size
from wsss.data.index import Index, Record
from wsss.data.palette import read_mask, voc_palette
from wsss.data.tables import labels_in
from wsss.errors import UserError
from wsss.imports.annotations import Annotations, Entry, matched
from wsss.imports.maps import index_of
from wsss.metrics import IGNORE
from wsss.runs.run import Run, chain, load_run
from wsss.store.files import atomic_directory, write_png, write_text
from wsss.store.label_maps import LabelShard

HOME = Path("corrections")
HEADER = "# Written by `wsss corrections import`; another import writes it again.\n"
#: outlines of unchanged masks differ by less than this from the masks, px
BORDER = 3


@dataclass(frozen=True)
class Corrected:
    """What an import has changed. made: stages that are made again; kept: those of the extended run.

    unchanged: photographs whose mask and labels are what they were.
    """

    run: Run
    masks: int
    labels: int
    unchanged: int
    made: tuple[str, ...]
    kept: tuple[str, ...]


def import_corrections(
    run: Run, found: Annotations, source: Path, name: str, *, directory: Path = Path("config")
) -> Corrected:
    """Write the run `name`, which extends `run`, with the corrections in `found` and those that it had.

    source: of the corrections, for messages. directory: of the runs' files. The index of `run` must be made,
    and pseudo labels where masks come. Raises UserError for unknown classes and photographs, masks that do
    not fit, and where nothing is changed; nothing is written then.
    """
    file = directory / f"{name}.yaml"
    before = _before(run, name, file, directory)
    data = run.config.dataset
    indexes = [index_of(run, split) for split in dict.fromkeys((data.train, data.val))]
    records = {record.id: (index, place, record) for index in indexes for place, record in enumerate(index)}
    if unknown := sorted(set(found.classes) - set(indexes[0].classes)):
        known = ", ".join(indexes[0].classes)
        raise UserError(
            f"{source}: classes {', '.join(unknown)} are none of run {run.name}, which has {known}"
        )
    masks, labels, unchanged = dict(before.masks), dict(before.labels), 0
    for entry in matched(found.entries, records, str(source)):
        index, place, record = records[entry.image]
        mask = _mask(entry, found.classes, index, record)
        if mask is not None and not _differs(mask, _current(run, index, place)):
            mask = None
        shown = _labels(entry, mask, index, record)
        if mask is not None:
            masks[record.id] = mask
        if set(shown) != set(record.labels):
            labels[record.id] = shown
        unchanged += mask is None and set(shown) == set(record.labels)
    if not masks and not labels:
        raise UserError(
            f"{source}: all {unchanged} photographs are as they were; there is nothing to correct"
        )
    home = HOME / run.name
    section: dict[str, object] = {"extends": run.name}
    if labels:
        table = _table(run, indexes, labels)
        path = home / f"labels-{_digest(table.encode())}.csv"
        section["dataset"] = {"labels": str(path), **_columns(run)}
    if masks:
        contents = [part for key in sorted(masks) for part in (key.encode(), masks[key].tobytes())]
        maps = home / f"masks-{_digest(*contents)}"
        section["segmentation"] = {"pseudo": {"corrections": str(maps)}}
    text = HEADER + document_text(section)
    if labels:
        write_text(path, table)
    if masks and not maps.is_dir():
        with atomic_directory(maps) as part:
            for key, mask in masks.items():
                write_png(part / f"{key}.png", mask, voc_palette())
    write_text(file, text)
    child = load_run(name, directory)
    made = tuple(stage for stage in chain(child) if child.owner(stage) is child)
    kept = tuple(stage for stage in chain(child) if stage not in made)
    return Corrected(child, len(masks), len(labels), unchanged, made, kept)


@dataclass(frozen=True)
class _Before:
    """Corrections of earlier imports, by image id."""

    masks: Mapping[str, np.ndarray]
    labels: Mapping[str, tuple[str, ...]]


def _before(run: Run, name: str, file: Path, directory: Path) -> _Before:
    if not file.is_file():
        return _Before({}, {})
    if not file.read_text(encoding="utf-8").startswith(HEADER):
        raise UserError(f"{file}: is a run of yours; give the corrected run another name: --name")
    child = load_run(name, directory)
    if child.parent is None or child.parent.name != run.name:
        raise UserError(f"{file}: extends another run than {run.name}; give another --name")
    maps, masks = child.config.segmentation.pseudo.corrections, {}
    if maps is not None and maps != run.config.segmentation.pseudo.corrections:
        masks = {path.stem: read_mask(path) for path in sorted(maps.glob("*.png"))}
    labels: dict[str, tuple[str, ...]] = {}
    data, ours = child.config.dataset, run.config.dataset
    if data.kind == "folder" and ours.kind == "folder" and data.labels != ours.labels:
        old = {record.id: record for split in ("train", "val") for record in index_of(run, split)}
        with open(data.labels, encoding="utf-8", newline="") as table:
            for row in csv.DictReader(table):
                shown = tuple(labels_in(row["labels"]))
                if row["id"] in old and set(shown) != set(old[row["id"]].labels):
                    labels[row["id"]] = shown
    return _Before(masks, labels)


def _mask(entry: Entry, classes: Sequence[str], index: Index, record: Record) -> np.ndarray | None:
    """The entry's mask in the run's values; None where it has none."""
    if entry.mask is None:
        return None
    table = np.zeros(256, np.uint8)
    table[IGNORE] = IGNORE
    for value, name in enumerate(classes, 1):
        table[value] = index.classes.index(name) + 1
    return np.asarray(table[entry.mask(image_size(record.image))])


def _labels(entry: Entry, mask: np.ndarray | None, index: Index, record: Record) -> tuple[str, ...]:
    """The image's labels: as stated or, with a mask, also those that it shows."""
    shown = set(entry.labels) if entry.stated else set(record.labels)
    if mask is not None:
        shown |= {index.classes[value - 1] for value in np.unique(mask).tolist() if 0 < value < IGNORE}
    return tuple(name for name in index.classes if name in shown)


def _current(run: Run, index: Index, place: int) -> np.ndarray | None:
    """The pseudo label of the image at a place of the index; None where it is not made."""
    path = run.output("pseudo_labels", index.split, f"{place % run.config.cams.shards:03d}")
    return LabelShard(path)[index.records[place].id] if path.is_dir() else None


def _differs(mask: np.ndarray, current: np.ndarray | None) -> bool:
    """Whether masks differ by more than what outlines lose at borders."""
    if current is None or mask.shape != current.shape:
        return True
    difference = (mask != current).astype(np.uint8)
    opened = cv2.morphologyEx(difference, cv2.MORPH_OPEN, np.ones((BORDER, BORDER), np.uint8))
    return bool(opened.any())


def _table(run: Run, indexes: Sequence[Index], labels: Mapping[str, tuple[str, ...]]) -> str:
    """The table of all images with the corrected labels, and the splits that they are in."""
    data = run.config.dataset
    if data.kind != "folder":
        raise UserError(
            f"run {run.name}: labels of data sets of kind {data.kind} are in its own files; correct them "
            f"there ({', '.join(sorted(labels)[:5])})"
        )
    names = {path: name for name, path in find_images(data.images).items()}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "labels", "split", "id"])
    for index in indexes:
        for record in index:
            shown = json.dumps(labels.get(record.id, record.labels), ensure_ascii=False)
            writer.writerow([names[record.image], shown, index.split, record.id])
    return text.getvalue()


def _columns(run: Run) -> dict[str, None]:
    """The keys of columns that the table of corrections does not have."""
    keys = ("image_column", "label_column")
    return {key: None for key in keys if getattr(run.config.dataset, key, None) is not None}


def _digest(*parts: bytes) -> str:
    digest = sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:8]
