"""Annotations in VOC's XML, as labelImg, CVAT and others write them: the classes of their objects."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsss.data.listing import nfc
from wsss.errors import UserError

#: an object's outline where it has no box
OUTLINES = ("polygon", "robndbox", "segmentation", "segm", "mask", "points", "point", "polyline", "ellipse")
#: tried in this order where the file does not say its encoding, after UTF-8
ENCODINGS = ("gb18030", "cp1252", "latin-1")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*?\?>", re.DOTALL)
_ENCODING = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']", re.DOTALL)


@dataclass(frozen=True)
class Annotated:
    """What an annotation says. labels: each once. wrong_size: its size is not the image's. outside: objects
    whose boxes hold no pixel of the image, and whose labels are dropped, as published."""

    labels: tuple[str, ...]
    wrong_size: bool = False
    outside: int = 0


def read_annotation(
    path: str | Path, classes: Sequence[str], sizes: Sequence[tuple[int, int]] = ()
) -> Annotated:
    """The classes of an annotation's objects, in the order of `classes`, unknown ones last.

    As published, boxes are clipped to the image and one without width or height is dropped together with its
    class; objects marked difficult count. sizes: (H, W) of the image, as stored and as shown; where the
    annotation's own size is missing, zero or another, a box counts that holds pixels of any of these, or of
    the same turned by a quarter, since a wrong size does not cost a label. Objects with a polygon or another
    outline and no box count. Raises UserError naming the file.
    """
    try:
        root = ET.fromstring(_text_of(Path(path), classes))
        stated = _size(root)
        trusted = stated is not None and (not sizes or stated in sizes)
        frames = (
            [stated] if trusted and stated else [turned for size in sizes for turned in (size, size[::-1])]
        )
        names: dict[str, None] = {}
        outside = 0
        for item in root.iterfind("object"):
            name = nfc(_text(item, "name"))
            if item.find("bndbox") is None and any(item.find(kind) is not None for kind in OUTLINES):
                names[name] = None
                continue
            box = [_number(item, f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax")]
            if any(_holds_pixels(box, frame) for frame in frames) or (not frames and _is_box(box)):
                names[name] = None
            else:
                outside += 1
    except (OSError, ET.ParseError, ValueError, LookupError) as error:
        raise UserError(f"{path}: not a VOC annotation ({error}); replace it") from None
    order = {name: position for position, name in enumerate(classes)}
    labels = tuple(sorted(names, key=lambda name: (order.get(name, len(order)), name)))
    return Annotated(labels, not trusted, outside)


def read_labels(
    path: str | Path, classes: Sequence[str], sizes: Sequence[tuple[int, int]] = ()
) -> tuple[str, ...]:
    """The labels of `read_annotation`."""
    return read_annotation(path, classes, sizes).labels


def _size(root: ET.Element) -> tuple[int, int] | None:
    """(H, W) as stated; None where it is missing or none. Raises ValueError for what is no number."""
    sides = []
    for key in ("height", "width"):
        text = (root.findtext(f"size/{key}") or "0").strip()
        sides.append(0.0 if text.lower() in ("", "none", "null", "nan") else float(text))
    if not all(0 < side < 1e9 for side in sides):
        return None
    return round(sides[0]), round(sides[1])


def _holds_pixels(box: Sequence[float], size: tuple[int, int]) -> bool:
    left, top, right, bottom = box
    height, width = size
    return _clip(right, width) > _clip(left, width) and _clip(bottom, height) > _clip(top, height)


def _is_box(box: Sequence[float]) -> bool:
    return box[2] > box[0] and box[3] > box[1]


def _clip(value: float, size: float) -> float:
    return max(0.0, min(value, size - 1))


def _number(element: ET.Element, path: str) -> float:
    value = float(_text(element, path))
    if value != value:
        raise ValueError(f"<{element.tag}> has {path} nan")
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
