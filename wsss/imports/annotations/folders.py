"""Photographs sorted into folders by class, and folders of photographs and masks."""

from collections import Counter, defaultdict
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import numpy as np

from wsss.data.folder import find_images
from wsss.data.palette import read_mask
from wsss.errors import UserError
from wsss.figures.sheet import resize_labels
from wsss.imports.annotations.entry import SPLITS, Annotations, Entry

CLASS_FOLDERS = "a folder per class"
#: folders of photographs that show none of the classes
NOTHING = frozenset({"background", "empty", "negative", "negatives", "none", "nothing"})


def read_class_folders(directory: Path) -> Annotations:
    """A folder per class, also within folders `train` and `val`, or within those of places or days.

    The class is the first folder or, where the same last folders are within several first ones, the last. A
    photograph that is in several classes' folders, under one name and of equal bytes, has all of them. Raises
    UserError where photographs are not in folders.
    """
    found = find_images(directory)
    parts = {name: name.split("/")[:-1] for name in found}
    if loose := [name for name, folders in parts.items() if not folders]:
        raise UserError(
            f"{directory}: {len(loose)} of {len(found)} photographs are in no class's folder, such as "
            f"{loose[0]}; sort them into folders by class, or add a table (--labels) or another form: CSV, "
            "COCO, YOLO, CVAT, Label Studio"
        )
    split = all(folders[0].lower() in SPLITS and len(folders) > 1 for folders in parts.values())
    inner = {name: folders[split:] for name, folders in parts.items()}
    last = _class_is_last(list(inner.values()))
    labels = {name: folders[-1 if last else 0] for name, folders in inner.items()}
    form = CLASS_FOLDERS + (" within splits" if split else "") + (", the innermost" if last else "")
    copies: dict[tuple[str | None, str, bytes], list[str]] = defaultdict(list)
    times = Counter(name.rpartition("/")[2] for name in found)
    for name in found:
        key = name.rpartition("/")[2]
        content = found[name].read_bytes() if times[key] > 1 else b""
        part = SPLITS[parts[name][0].lower()] if split else None
        copies[part, key, blake2b(content, digest_size=16).digest()].append(name)
    entries = []
    for (part, _, _), names in copies.items():
        shown = dict.fromkeys(labels[name] for name in names if labels[name].lower() not in NOTHING)
        entries.append(Entry(names[0], tuple(shown), split=part))
    classes = tuple(sorted({label for entry in entries for label in entry.labels}))
    return Annotations(form, classes, tuple(entries))


def _class_is_last(folders: list[list[str]]) -> bool:
    if min(map(len, folders)) < 2:
        return False
    firsts = defaultdict(set)
    for each in folders:
        firsts[each[-1]].add(each[0])
    return sum(len(found) > 1 for found in firsts.values()) > len(firsts) / 2


def is_images_and_masks(directory: Path) -> bool:
    """Whether a directory holds photographs, masks, and the classes' names."""
    return (directory / "masks").is_dir() and (directory / "classes.txt").is_file()


def read_images_and_masks(directory: Path) -> Annotations:
    """`masks/**/*.png` of 0, 1, 2, …, and `classes.txt`. Raises UserError for a mask of other values."""
    classes = tuple((directory / "classes.txt").read_text(encoding="utf-8").split("\n"))
    classes = tuple(name.strip() for name in classes if name.strip())
    entries = []
    for path in sorted((directory / "masks").rglob("*.png")):
        values = read_mask(path)
        held = np.flatnonzero(np.bincount(values.ravel(), minlength=256)).tolist()
        if wrong := [value for value in held if len(classes) < value < 255]:
            raise UserError(f"{path}: holds {wrong}; classes.txt has {len(classes)} classes")
        shown = tuple(classes[value - 1] for value in held if 0 < value < 255)
        name = path.relative_to(directory / "masks").with_suffix("").as_posix()
        entries.append(Entry(name, shown, _reader(path), (values.shape[0], values.shape[1])))
    return Annotations("photographs and masks", classes, tuple(entries))


def _reader(path: Path) -> Callable[[tuple[int, int]], np.ndarray]:
    def read(size: tuple[int, int]) -> np.ndarray:
        return resize_labels(read_mask(path), size)

    return read
