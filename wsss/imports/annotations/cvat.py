"""CVAT's "CVAT for images 1.1": tags and shapes of every photograph."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wsss.errors import UserError
from wsss.imports.annotations.entry import SPLITS, Annotations, Entry, painted


def is_cvat(path: Path) -> bool:
    """Whether an XML file is of CVAT's form."""
    try:
        with open(path, encoding="utf-8") as file:
            return "<annotations>" in file.read(2000)
    except (OSError, UnicodeDecodeError):
        return False


def read_cvat(path: Path) -> Annotations:
    """Read an export. A photograph has a mask if all of its shapes are polygons, masks or ellipses.

    Raises UserError for another file, and naming the photograph whose shape does not fit.
    """
    try:
        root = ET.parse(path).getroot()
    except (OSError, ET.ParseError) as error:
        raise UserError(f"{path}: not XML ({error}); export it again") from None
    names = [name.text or "" for name in root.iterfind("meta//labels/label/name")]
    images = list(root.iterfind("image"))
    used = (element.attrib["label"] for image in images for element in image if "label" in element.attrib)
    classes = tuple(dict.fromkeys([*names, *used]))
    if not images:
        raise UserError(f"{path}: has no images; export as `CVAT for images 1.1` (videos are not read)")
    return Annotations(
        "CVAT for images 1.1", classes, tuple(_entry(path, image, classes) for image in images)
    )


def _entry(path: Path, image: ET.Element, classes: tuple[str, ...]) -> Entry:
    name = image.attrib.get("name", "")
    shapes, outlined, labels = [], True, []
    try:
        size = int(image.attrib["height"]), int(image.attrib["width"])
        for element in sorted(image, key=lambda each: int(each.attrib.get("z_order", 0))):
            if (label := element.attrib.get("label")) is None:
                continue
            labels.append(label)
            value = classes.index(label) + 1
            if element.tag == "polygon":
                pairs = [pair.split(",") for pair in element.attrib["points"].split(";")]
                shapes.append((value, np.array(pairs, float)))
            elif element.tag == "ellipse":
                shapes.append((value, _ellipse(element)))
            elif element.tag == "mask":
                shapes.append((value, _filled(element, size)))
            elif element.tag != "tag":
                outlined = False
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: {name}: a shape does not fit ({error}); export it again") from None
    # Tags say what is shown, and not where.
    outlined = outlined and len(shapes) == len([each for each in image if each.tag != "tag"])
    outlined = outlined and (bool(shapes) or not labels)
    arrays = [(value, shape if shape.dtype != bool else _constant(shape)) for value, shape in shapes]
    split = SPLITS.get(image.attrib.get("subset", "").lower())
    stated = any(each.tag == "tag" for each in image)
    unique = tuple(dict.fromkeys(labels))
    return Entry(name, unique, painted(arrays) if outlined else None, size, split, stated)


def _constant(pixels: np.ndarray) -> Callable[[tuple[int, int]], np.ndarray]:
    return lambda size: pixels


def _filled(element: ET.Element, size: tuple[int, int]) -> np.ndarray:
    left, top, width, height = (int(element.attrib[key]) for key in ("left", "top", "width", "height"))
    runs = np.array(element.attrib["rle"].split(","), int)
    if runs.sum() != width * height:
        raise ValueError(f"runs of {runs.sum()} pixels in a box of {width} x {height}")
    pixels = np.zeros(size, bool)
    box = np.repeat(np.arange(len(runs)) % 2, runs).reshape(height, width).astype(bool)
    pixels[top : top + height, left : left + width] = box
    return pixels


def _ellipse(element: ET.Element) -> np.ndarray:
    x, y, across, down = (float(element.attrib[key]) for key in ("cx", "cy", "rx", "ry"))
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    turn = np.deg2rad(float(element.attrib.get("rotation", 0)))
    points = np.stack([across * np.cos(angles), down * np.sin(angles)], 1)
    turned = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.add(turned, (x, y))
