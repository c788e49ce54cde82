"""Writes the data set `shapes` in PASCAL VOC's layout."""

import xml.etree.ElementTree as ET
from pathlib import Path

from wsss.data.palette import voc_palette
from wsss.data.shapes.picture import Picture, picture
from wsss.data.shapes.staging import CLASSES
from wsss.store.files import write_png, write_text

SPLITS = ("train", "val")


def write_shapes(root: str | Path, *, seed: int, train: int = 300, val: int = 80, size: int = 128) -> None:
    """Make the data set under `root`: images (PNG, lossless), masks, annotations, lists, classes.txt.

    train, val: how many images. size: their sides lie within an eighth of it, in pixels. An image depends on
    nothing but (seed, split, its number, size): more images leave the first ones as they are.
    """
    root = Path(root)
    palette = voc_palette()
    for split, (name, count) in enumerate(zip(SPLITS, (train, val), strict=True)):
        ids = [f"{name}_{number:05d}" for number in range(count)]
        for number, image in enumerate(ids):
            made = picture(seed, split, number, size)
            write_png(root / "JPEGImages" / f"{image}.png", made.pixels)
            write_png(root / "SegmentationClass" / f"{image}.png", made.mask, palette)
            write_text(root / "Annotations" / f"{image}.xml", _annotation(image, made))
        write_text(
            root / "ImageSets" / "Segmentation" / f"{name}.txt", "".join(f"{image}\n" for image in ids)
        )
    write_text(root / "classes.txt", "".join(f"{name}\n" for name in CLASSES))


def _annotation(image: str, made: Picture) -> str:
    height, width = made.mask.shape
    root = ET.Element("annotation")
    ET.SubElement(root, "filename").text = f"{image}.png"
    size = ET.SubElement(root, "size")
    for key, value in (("width", width), ("height", height), ("depth", 3)):
        ET.SubElement(size, key).text = str(value)
    for thing in made.things:
        item = ET.SubElement(root, "object")
        ET.SubElement(item, "name").text = thing.name
        ET.SubElement(item, "difficult").text = "0"
        corners = ET.SubElement(item, "bndbox")
        for key, value in zip(("xmin", "ymin", "xmax", "ymax"), thing.box, strict=True):
            ET.SubElement(corners, key).text = str(value)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
