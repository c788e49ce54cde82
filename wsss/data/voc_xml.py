"""Annotations in VOC's XML, as labelImg, CVAT and others write them: the classes of their objects."""

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsss.data.listing import nfc
from wsss.errors import UserError
from wsss.progress import LOGGER

#: an object's outline where it has no box
OUTLINES = ("polygon", "robndbox", "segmentation", "segm", "mask", "points", "point", "polyline", "ellipse")
#: (H, W) of an image that no box is outside of
UNBOUNDED = (10**9, 10**9)
#: tried in this order where the file does not say its encoding, after UTF-8
ENCODINGS = ("gb18030", "cp1252", "latin-1")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*?\?>", re.DOTALL)
_ENCODING = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']", re.DOTALL)


@dataclass(frozen=True)
class Annotated:
    """What an annotation says. labels: each once. wrong_size: its size is not the image's. outside: objects
    whose boxes hold no pixel of the image; their labels are dropped, as published, if the size is right."""

    labels: tuple[str, ...]
    wrong_size: bool = False
    outside: int = 0


def read_annotation(
    path: str | Path, classes: Sequence[str], sizes: Sequence[tuple[int, int]] = ()
) -> Annotated:
    """The classes of an annotation's objects, in the order of `classes`, unknown ones last.

    As published, boxes are clipped to the image and one without width or height is dropped together with its
    class; objects marked difficult count. sizes: (H, W) of the image, as stored and as shown; where the
    annotation's own size is missing, zero or another, its boxes may be of another size of the image, and cost
    no label wherever they lie. Objects with a polygon or another outline and no box count. Tags may be in
    capitals. Raises UserError naming the file.
    """
    try:
        root = _parsed(_text_of(Path(path), classes))
        stated = _size(root)
        trusted = stated is not None and (not sizes or stated in sizes)
        frames = (
            [stated] if trusted and stated else [turned for size in sizes for turned in (size, size[::-1])]
        )
        names: dict[str, None] = {}
        outside = 0
        for item in root.iter("object"):
            name = nfc(_text(item, "name"))
            if item.find("bndbox") is None and any(item.find(kind) is not None for kind in OUTLINES):
                names[name] = None
                continue
            box = [_number(item, f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax")]
            empty = not any(_holds_pixels(box, frame) for frame in frames or [UNBOUNDED])
            outside += empty
            if not (empty and trusted):
                names[name] = None
    except (OSError, ET.ParseError, ValueError, LookupError) as error:
        raise UserError(f"{path}: not a VOC annotation ({error}); replace it") from None
    order = {name: position for position, name in enumerate(classes)}
    labels = tuple(sorted(names, key=lambda name: (order.get(name, len(order)), name)))
    return Annotated(labels, not trusted, outside)


def tell_annotations(split: str, found: Sequence[Annotated]) -> None:
    """Count the annotations whose size is not the image's, and the objects outside of theirs."""
    wrong = [annotated for annotated in found if annotated.wrong_size]
    if wrong:
        LOGGER.warning(
            "%s: %d of %d annotations have no <size>, or not that of their image; their boxes are clipped to "
            "the image's size, and their labels kept",
            *(split, len(wrong), len(found)),
        )
    if kept := sum(annotated.outside for annotated in wrong):
        LOGGER.warning(
            "%s: %d of their objects have boxes without a pixel of the image, and count as well", split, kept
        )
    if outside := sum(annotated.outside for annotated in found) - kept:
        emptied = sum(annotated.outside > 0 and not annotated.labels for annotated in found)
        LOGGER.warning(
            "%s: %d objects have boxes without a pixel of their image and do not count; %d images have no "
            "label without them",
            *(split, outside, emptied),
        )
    if found and not any(annotated.labels or annotated.outside for annotated in found):
        LOGGER.warning("%s: none of %d annotations has an <object>: no image has a label", split, len(found))


def _parsed(text: str) -> ET.Element:
    """The root of an annotation; its tags in small letters and without a namespace."""
    root = ET.fromstring(text)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2].lower()
    return root


def _size(root: ET.Element) -> tuple[int, int] | None:
    """(H, W) as stated; None where it is missing or no size."""
    sides = []
    for key in ("height", "width"):
        try:
            sides.append(float(root.findtext(f".//size/{key}") or "0"))
        except ValueError:
            return None
    if not all(0 < side < 1e9 for side in sides):
        return None
    return round(sides[0]), round(sides[1])


def _holds_pixels(box: Sequence[float], size: tuple[int, int]) -> bool:
    left, top, right, bottom = box
    height, width = size
    return _clip(right, width) > _clip(left, width) and _clip(bottom, height) > _clip(top, height)


def _clip(value: float, size: float) -> float:
    return max(0.0, min(value, size - 1))


def _number(element: ET.Element, path: str) -> float:
    text = _text(element, path)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise ValueError(f"<{element.tag}> has {path} {text!r}; it must be a number")
    return value


def _text(element: ET.Element, path: str) -> str:
    text = (element.findtext(path) or "").strip()
    if not text:
        raise ValueError(f"<{element.tag}> has no {path}")
    return text


def _text_of(path: Path, classes: Collection[str]) -> str:
    """The XML without its declaration. Expat knows few encodings, so Python decodes it.

    Where none is declared and it is not UTF-8, the encoding is the first in which every object's name is a
    known class, else the first that fits.
    """
    content = path.read_bytes()
    declared = _ENCODING.match(content)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _DECLARATION.sub("", content.decode("utf-16").lstrip("\ufeff"), count=1)
    tried = []
    for encoding in (*([declared[1].decode("ascii")] if declared else []), "utf-8-sig", *ENCODINGS):
        try:
            tried.append(content.decode(encoding))
        except (UnicodeDecodeError, LookupError):
            continue
        if len(tried) == 1 and encoding not in ENCODINGS:
            break
    known = frozenset(classes)
    names = re.compile(r"<object>\s*<name>\s*(.*?)\s*</name>")
    fitting = (text for text in tried if all(nfc(name) in known for name in names.findall(text)))
    return _DECLARATION.sub("", next(fitting, tried[0]), count=1)
