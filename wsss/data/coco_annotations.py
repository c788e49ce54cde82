"""COCO's annotation files, checked entry by entry: images, categories, and what is annotated in each image.

Numbers may have gaps, and may be text, as some tools write them. An annotation without an outline has its
class nevertheless: image-level labels need no outline.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from wsss.data.index import raise_faults
from wsss.data.listing import file_id, nfc
from wsss.errors import UserError
from wsss.progress import LOGGER
from wsss.store.files import read_json

#: px; more than Pillow opens
LONGEST_SIDE = 65_500
Key = int | str


@dataclass(frozen=True)
class Thing:
    """An annotated object: its number, its class's channel, its outline, whether it is a crowd, its box."""

    number: Key
    channel: int
    segmentation: Any
    crowd: bool
    box: Any = None


@dataclass(frozen=True)
class Picture:
    """An image of a split and all that is annotated in it; `id` is the name by which later stages know it."""

    number: Key
    id: str
    file: str
    height: int
    width: int
    things: tuple[Thing, ...]

    @property
    def channels(self) -> list[int]:
        """The channels of the classes that it shows, ascending."""
        return sorted({thing.channel for thing in self.things})


@dataclass(frozen=True)
class Annotations:
    """All images of a split, by number, and the classes in channel order. source: the file they are from."""

    classes: tuple[str, ...]
    pictures: tuple[Picture, ...]
    source: str = ""


def read_annotations(path: Path) -> Annotations:
    """Read an annotation file. Raises UserError with everything in it that does not fit, by its number."""
    found = read_json(path)
    if not isinstance(found, dict):
        raise UserError(
            f"{path}: not a file of COCO's instances (it holds a {type(found).__name__}); restore it"
        )
    for key in ("categories", "images", "annotations"):
        if key not in found:
            raise UserError(f"{path}: not a file of COCO's instances: {key!r} is missing; restore it")
        if not isinstance(found[key], list) or not all(isinstance(entry, dict) for entry in found[key]):
            raise UserError(
                f"{path}: not a file of COCO's instances ({key} is no list of entries); restore it"
            )
    faults: list[str] = []
    used = {key_of(item.get("category_id")) for item in found["annotations"]}
    categories = _categories(path, found["categories"], used, faults)
    channel = {number: place for place, number in enumerate(categories)}
    images = _images(found["images"], faults)
    listed = {key: {key_of(entry.get("id")) for entry in found[key]} for key in ("images", "categories")}
    things = _things(found["annotations"], channel, images, listed, faults)
    ids = _ids([image["file_name"] for image in images.values()])
    faults += _shared_ids(ids)
    raise_faults(str(path), faults)
    pictures = (
        Picture(
            number,
            ids[image["file_name"]],
            image["file_name"],
            image["height"],
            image["width"],
            things[number],
        )
        for number, image in sorted(images.items(), key=lambda item: key_order(item[0]))
    )
    return Annotations(tuple(categories.values()), tuple(pictures), str(path))


def key_of(value: Any) -> Key | None:
    """An image's, annotation's or category's number, whole or text; None for what is neither."""
    if isinstance(value, str):
        text = value.strip()
        return int(text) if text.isascii() and text.isdigit() else text or None
    if isinstance(value, float):
        return int(value) if abs(value) < 2**53 and value == int(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def key_order(key: Key) -> tuple[bool, Key]:
    """Sorts numbers before texts."""
    return isinstance(key, str), key


def _categories(
    path: Path, entries: Sequence[Mapping[str, Any]], used: set[Key | None], faults: list[str]
) -> dict[Key, str]:
    """Names by number, in the order of the numbers."""
    names: dict[Key, str] = {}
    numbers: dict[str, Key] = {}
    for place, entry in enumerate(entries):
        number, name = key_of(entry.get("id")), entry.get("name")
        if number is None:
            faults.append(f"category {place + 1}: id {entry.get('id')!r}; must be a number or a text")
        elif number in names:
            faults.append(f"category {number}: is listed twice; each id may be listed once")
        elif not isinstance(name, str) or not name.strip():
            faults.append(f"category {number}: name {name!r}; must be a text")
        else:
            names[number] = nfc(name.strip())
            if (first := numbers.setdefault(names[number], number)) != number:
                faults.append(f"categories {first} and {number}: both are named {name!r}; names must differ")
    if 0 in names and 0 not in used and len(names) > 1 and _is_group(entries):
        LOGGER.warning(
            "%s: category 0, %r, is a group of the others (Roboflow) without an annotation and is left out",
            *(path, names.pop(0)),
        )
    return dict(sorted(names.items(), key=lambda item: key_order(item[0])))


def _is_group(entries: Sequence[Mapping[str, Any]]) -> bool:
    """Whether category 0 stands for the others: it has no group itself, or is that of another one."""
    group = next(entry for entry in entries if key_of(entry.get("id")) == 0)
    above = [entry.get("supercategory") for entry in entries if entry is not group]
    return group.get("supercategory") in (None, "", "none") or group.get("name") in above


def _images(entries: Sequence[Mapping[str, Any]], faults: list[str]) -> dict[Key, dict[str, Any]]:
    """Images by number, their file names with `/`."""
    images: dict[Key, dict[str, Any]] = {}
    files: dict[str, Key] = {}
    for place, entry in enumerate(entries):
        number, file = key_of(entry.get("id")), entry.get("file_name")
        if number is None:
            faults.append(f"image {place + 1}: id {entry.get('id')!r}; must be a number or a text")
            continue
        if number in images:
            faults.append(f"image {number}: is listed twice; each id may be listed once")
            continue
        if not _is_path(file):
            faults.append(f"image {number}: file_name {file!r}; must be the path of a file")
            continue
        width, height = entry.get("width"), entry.get("height")
        if not (_is_side(width) and _is_side(height)):
            faults.append(
                f"image {number} ({file}): width {width!r}, height {height!r}; each must be a whole number, "
                f"1 to {LONGEST_SIDE}"
            )
        file = file.strip().replace("\\", "/")
        if (first := files.setdefault(nfc(file), number)) != number:
            faults.append(f"images {first} and {number}: both are {file}; each file may be listed once")
        images[number] = {"file_name": file, "height": height, "width": width}
    return images


def _is_path(value: Any) -> TypeGuard[str]:
    """Whether a value can be the path of a file: a text without zeros and lone surrogates."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        return False
    return all(not "\ud800" <= sign <= "\udfff" for sign in value)


def _is_side(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LONGEST_SIDE


def _things(
    entries: Sequence[Mapping[str, Any]],
    channel: Mapping[Key, int],
    images: Mapping[Key, Any],
    listed: Mapping[str, set[Key | None]],
    faults: list[str],
) -> dict[Key, tuple[Thing, ...]]:
    """What is annotated, by the image's number. listed: all numbers in the file, of faulty entries too."""
    things: dict[Key, list[Thing]] = {number: [] for number in images}
    for place, item in enumerate(entries):
        known = key_of(item.get("id"))
        number = place + 1 if known is None else known
        image, category = key_of(item.get("image_id")), key_of(item.get("category_id"))
        if image in things and category in channel:
            assert image is not None and category is not None
            crowd = item.get("iscrowd") in (1, True, "1")
            outline = item.get("segmentation")
            things[image].append(Thing(number, channel[category], outline, crowd, item.get("bbox")))
        elif image not in listed["images"] or category not in listed["categories"]:
            which = f"image {item.get('image_id')}, category {item.get('category_id')}"
            faults.append(f"annotation {number} is of {which}, which the file does not list; restore it")
    return {image: tuple(found) for image, found in things.items()}


def _ids(files: Sequence[str]) -> dict[str, str]:
    """Ids by file: names without suffix or, where two folders have files of one name, paths."""
    stems = Counter(nfc(PurePosixPath(file).stem) for file in files)
    unique = max(stems.values(), default=1) == 1
    return dict(_named(files, unique))


def _shared_ids(ids: Mapping[str, str]) -> Iterator[str]:
    files: dict[str, str] = {}
    for file, name in ids.items():
        if (first := files.setdefault(name, file)) != file:
            yield f"{first} and {file}: would both be called {name}; rename one of them"


def _named(files: Sequence[str], unique: bool) -> Iterator[tuple[str, str]]:
    for file in files:
        path = PurePosixPath(file)
        parts = [part for part in path.with_suffix("").parts if part not in ("/", "..")]
        yield file, file_id(nfc(path.stem if unique else "/".join(parts)))
