"""Write the configuration of a run on photographs of one's own: a directory of them, and their labels.

Labels are those that are found with the photographs: a folder per class, one CSV file, or annotations of
COCO, YOLO, CVAT or Label Studio; --labels names a file or directory of one of these forms. Outlined objects
become masks to score by. A CSV has the columns `image` and `labels` (several are separated by `;`), or a
column of 0 and 1 per class, and `split` (train, val) where the splits are given. Every image is decoded once;
sizes and epochs are chosen by their number and size.
"""

import argparse
import os
import re
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from wsss.config import FolderDataset, MachineConfig, RunConfig
from wsss.config.document import document_text, parse_document
from wsss.config.recipe import HUGE, recipe
from wsss.config.validation import validate
from wsss.data.copies import smaller_copies
from wsss.data.datasets import index_of
from wsss.data.folder import classes_of
from wsss.data.images import image_size
from wsss.data.index import Index
from wsss.data.palette import voc_palette
from wsss.data.splits import require_separate
from wsss.data.tables import read_table
from wsss.errors import UserError
from wsss.figures.classes import draw_classes
from wsss.imports.photographs import table_beside, understand
from wsss.progress import log_to
from wsss.runs.run import RUN_NAME
from wsss.store.files import write_text

HELP = "write the configuration of a run on your own photographs"
#: fewer training images leave no batch to speak of
LEAST = 4
#: what every stage's maps are made for, px: the random walk and the CRF work on each pixel of an image
LONGEST = 2000
#: of copies, px: on less, nothing could be told from anything
LEAST_SIDE = 64
#: suffixes of annotations, which are no tables
ANNOTATED = (".json", ".xml", ".zip")
HEADER = """\
# yaml-language-server: $schema=schema.json
# Written by `wsss init` for {train} + {val} photographs, {side} px in the median. All keys: config/README.md.
# The backbone's weights come with an installed package. With GPUs and some thousand photographs, leave
# out all but `dataset`: what is left out has the published values (ResNeSt-269).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The directory, the table, and what else the data set has."""
    parser.add_argument("images", type=Path, help="directory of the photographs")
    parser.add_argument(
        "--labels",
        type=Path,
        help="CSV of image and labels, or annotations (COCO, YOLO, CVAT, Label Studio); by default what is "
        "found with the photographs, or a folder per class",
    )
    parser.add_argument("--image-column", metavar="NAME", help="its column of images (image, filename)")
    parser.add_argument("--label-column", metavar="NAME", help="its column of labels (labels, label)")
    parser.add_argument("--masks", type=Path, help="directory of masks to score by, a PNG per photograph")
    parser.add_argument(
        "--classes", help="classes in the order of the masks' values, separated by commas; else by alphabet"
    )
    parser.add_argument(
        "--mask-values",
        metavar="TABLE",
        help="what other values or colors of masks mean: 0=background,255=cell or #ff0000=cat,…, or a file "
        "such as CVAT's labelmap.txt",
    )
    parser.add_argument(
        "--masks-orientation",
        choices=("auto", "seen", "stored"),
        default="auto",
        help="of masks of photographs with an EXIF orientation: as shown, or as stored in the file (auto)",
    )
    parser.add_argument("--val-share", type=float, default=0.2, help="part that is drawn for val (0.2)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw (0)")
    parser.add_argument(
        "--allow-overlap", action="store_true", help="accept images that are in train and in val"
    )
    parser.add_argument(
        "--shrink",
        type=int,
        metavar="PX",
        help="make copies of at most so many px in data/<name>, and use them",
    )
    parser.add_argument("--name", help="name of the run, by default the directory's")


def run(arguments: argparse.Namespace) -> int:
    """Check the images, write config/<name>.yaml, and say what to type next."""
    log_to()
    name = _name(arguments)
    path = Path("config", f"{name}.yaml")
    if path.exists():
        raise UserError(f"{path}: is there already; remove it, or give the run another --name")
    said = _understand(arguments, name)
    data = _data_set(arguments, name)
    machine = MachineConfig(threads=os.cpu_count() or 1)
    splits = {split: index_of(data, split, machine=machine) for split in (data.train, data.val)}
    side = _checked(splits)
    require_separate(data, splits[data.train])
    section = data.model_dump(mode="json", exclude_unset=True)
    config = {"dataset": section, **recipe(len(splits["train"]), side), "machine": _machine()}
    sizes = {split: len(index) for split, index in splits.items()}
    text = HEADER.format(**sizes, side=side) + document_text(config)
    # Held against what a run will read before anything is written.
    if validate(parse_document(text, str(path))) != RunConfig.from_values(config):
        raise UserError(f"{path}: would not be read as it is written; rename the classes or the files")
    write_text(path, text)
    sheet = Path("data", name, "classes.png")
    draw_classes(sheet, splits[data.train])
    print("\n".join([*said, *_said(path, splits, side, sheet)]))
    return 0


def _understand(arguments: argparse.Namespace, name: str) -> tuple[str, ...]:
    """Fill in what the arguments leave out, from what is found with the photographs; says what that is."""
    if arguments.labels is None and arguments.images.is_dir():
        arguments.labels = table_beside(arguments.images)
    labels = arguments.labels
    if labels is not None and (labels.suffix.lower() not in ANNOTATED and not labels.is_dir()):
        return (f"{labels}: a table",)
    found = understand(arguments.images, labels, Path("data", name))
    arguments.images, arguments.labels = found.images, found.labels
    arguments.masks = arguments.masks or found.masks
    arguments.classes = arguments.classes or list(found.classes)
    return found.said


def _data_set(arguments: argparse.Namespace, name: str) -> FolderDataset:
    """The run's data set; with --shrink, its copies."""
    images, masks, orientation = arguments.images, arguments.masks, arguments.masks_orientation
    columns = {"image_column": arguments.image_column, "label_column": arguments.label_column}
    asked = arguments.classes or []
    classes = [part.strip() for part in asked.split(",")] if isinstance(asked, str) else asked
    found = classes or list(classes_of(read_table(arguments.labels, **columns)))
    if arguments.shrink is not None:
        side, out = _side(arguments.shrink), Path("data", name)
        images, masks = smaller_copies(images, masks, side, out, orientation=orientation)
    section = {
        "kind": "folder",
        "images": images,
        "labels": arguments.labels,
        "masks": masks,
        "classes": found,
        "val_share": arguments.val_share,
        "seed": arguments.seed,
        **columns,
        "mask_values": _mask_values(arguments.mask_values),
        "masks_orientation": None if orientation == "auto" else orientation,
        "allow_overlap": arguments.allow_overlap or None,
    }
    try:
        return FolderDataset.model_validate(
            {key: value for key, value in section.items() if value is not None}
        )
    except ValueError as error:
        raise UserError(f"--val-share, --seed or --classes: {error}") from None


def _mask_values(text: str | None) -> dict[str, str] | Path | None:
    """What --mask-values says: pairs, or the file that holds them."""
    if text is None or "=" not in text:
        return None if text is None else Path(text)
    pairs = [pair.partition("=") for pair in re.split(r",(?=[^,=]*=)", text)]
    return {key.strip(): name.strip() for key, _, name in pairs}


def _name(arguments: argparse.Namespace) -> str:
    """The run's name."""
    directory = arguments.images.resolve().name.lower()
    given: str = arguments.name or re.sub("[^a-z0-9]+", "-", directory).strip("-")
    if not re.fullmatch(RUN_NAME, given):
        raise UserError(f"run {given!r}: a run's name must be of the form {RUN_NAME}; give one with --name")
    return given


def _side(shrink: int) -> int:
    """The longer side of the copies, px."""
    if not LEAST_SIDE <= shrink <= LONGEST:
        raise UserError(f"--shrink {shrink}: allowed are {LEAST_SIDE} to {LONGEST} px")
    return shrink


def _checked(splits: dict[str, Index]) -> int:
    """The median of the longer sides, px. Raises UserError for images that no run could learn from."""
    train = splits["train"]
    if len(train) < LEAST:
        raise UserError(f"{len(train)} training photographs; there must be {LEAST}, better some hundred")
    if missing := [name for name, count in _counts(train).items() if not count]:
        raise UserError(
            f"no training photograph shows {', '.join(missing)}; label more, or draw with another --seed"
        )
    sides = {record.id: max(image_size(record.image)) for index in splits.values() for record in index}
    longest = max(sides, key=lambda name: sides[name])
    if sides[longest] > LONGEST:
        raise UserError(
            f"{longest} has a side of {sides[longest]} px; allowed are {LONGEST}, as the walk and the CRF "
            f"work on every pixel. Type --shrink {HUGE}, which makes smaller copies and uses them"
        )
    return round(median(sides.values()))


def _machine() -> dict[str, Any]:
    cores = os.cpu_count() or 1
    return {"threads": min(4, cores), "workers": 1 if cores < 4 else 2}


def _counts(index: Index) -> Counter[str]:
    counts = Counter(dict.fromkeys(index.classes, 0))
    counts.update(label for record in index for label in record.labels)
    return counts


def _said(path: Path, splits: dict[str, Index], side: int, sheet: Path) -> list[str]:
    train, val = splits["train"], splits["val"]
    counts, colors = _counts(train), voc_palette()
    lines = [f"{path}: {len(train)} photographs to train on, {len(val)} to look at; {side} px in the median"]
    for value, name in enumerate(train.classes, 1):
        color = "#" + bytes(colors[value].tolist()).hex()
        lines.append(f"  mask value {value}, color {color}: {name} ({counts[name]} photographs)")
    if empty := len(train.negatives):
        lines.append(f"  {empty} photographs to train on show none of these: they are used as negatives")
    masked = {split: sum(record.mask is not None for record in index) for split, index in splits.items()}
    if not any(masked.values()):
        lines.append("  no masks: the run ends with masks of its own; there can be no mIoU, of any stage")
    else:
        lines.append(f"  masks of {masked['train']} + {masked['val']} photographs, to score by")
    lines.append(f"  {sheet}: photographs of each class, to look at")
    return [*lines, f"now: snakemake --cores all results/{path.stem}/val_miou.txt"]
