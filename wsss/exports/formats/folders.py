"""Forms of one file per photograph: photographs and masks side by side, and PASCAL VOC's layout."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from wsss.data.outlines import Region
from wsss.data.palette import voc_palette
from wsss.exports.formats.writer import Target, Writer
from wsss.exports.sources import Labeled
from wsss.metrics import IGNORE
from wsss.store.files import write_png


class ImagesAndMasksWriter(Writer):
    """`images/`, `masks/` (values 0, 1, 2, …; VOC's colors) and `classes.txt`, one class a line."""

    def add(self, image: Labeled, regions: Sequence[Region]) -> None:
        self.target.place(image, "images")
        write_png(self.target.file("masks", f"{image.name}.png"), image.mask, voc_palette())

    def close(self) -> None:
        _write_classes(self.target)


class VocWriter(Writer):
    """JPEGImages, SegmentationClass, Annotations with a box per region, lists, and CVAT's labelmap.txt."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.lists = dict.fromkeys(target.splits, "")

    def add(self, image: Labeled, regions: Sequence[Region]) -> None:
        placed = self.target.place(image, "JPEGImages")
        write_png(self.target.file("SegmentationClass", f"{image.name}.png"), image.mask, voc_palette())
        self.lists[image.split] += f"{image.name}\n"
        root = ET.Element("annotation")
        ET.SubElement(root, "filename").text = placed.partition("/")[2]
        size = ET.SubElement(root, "size")
        height, width = image.mask.shape
        for key, number in (("width", width), ("height", height), ("depth", 3)):
            ET.SubElement(size, key).text = str(number)
        ET.SubElement(root, "segmented").text = "1"
        for region in regions:
            item = ET.SubElement(root, "object")
            ET.SubElement(item, "name").text = self.target.classes[region.value - 1]
            ET.SubElement(item, "difficult").text = "0"
            corners = ET.SubElement(item, "bndbox")
            left, top, wide, high = region.box
            # VOC counts from 1, and both corners are inside. A box is never a line, which would hold nothing.
            ends = max(left + wide, left + 2), max(top + high, top + 2)
            box = (left + 1, top + 1, *ends)
            for key, number in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True):
                ET.SubElement(corners, key).text = str(number)
        ET.indent(root)
        text = ET.tostring(root, encoding="unicode") + "\n"
        self.target.file("Annotations", f"{image.name}.xml").write_text(text, encoding="utf-8")

    def close(self) -> None:
        for split, names in self.lists.items():
            self.target.file("ImageSets", "Segmentation", f"{split}.txt").write_text(names, encoding="utf-8")
        _write_classes(self.target)
        colors = voc_palette()
        named = ((name, value) for value, name in enumerate(self.target.classes, 1))
        rows = [("background", 0), *named, ("void", IGNORE)]
        lines = [f"{name}:{','.join(map(str, colors[value].tolist()))}::" for name, value in rows]
        text = "\n".join(["# label:color_rgb:parts:actions", *lines]) + "\n"
        self.target.file("labelmap.txt").write_text(text, encoding="utf-8")


def _write_classes(target: Target) -> None:
    text = "".join(f"{name}\n" for name in target.classes)
    target.file("classes.txt").write_text(text, encoding="utf-8")
