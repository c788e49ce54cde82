"""MS COCO's form of instances: a polygon per region or, of a region with holes, packed run lengths."""

import json
from collections.abc import Sequence
from typing import Any, TextIO

from wsss.data.outlines import Region
from wsss.exports.formats.writer import Target, Writer
from wsss.exports.sources import Labeled


class CocoWriter(Writer):
    """`annotations/instances_<split>.json`, written as photographs come, and these in `images/`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.images: dict[str, list[dict[str, Any]]] = {split: [] for split in target.splits}
        self.count = self.placed = 0
        categories = [
            {"id": value, "name": name, "supercategory": ""} for value, name in enumerate(target.classes, 1)
        ]
        start = json.dumps({"info": {"description": "wsss"}, "licenses": [], "categories": categories})
        self.files: dict[str, TextIO] = {}
        for split in target.splits:
            self.files[split] = target.stream("annotations", f"instances_{split}.json")
            self.files[split].write(f'{start[:-1]}, "annotations": [')
        self.separator = dict.fromkeys(target.splits, "\n")

    def add(self, image: Labeled, regions: Sequence[Region]) -> None:
        name = self.target.place(image, "images").partition("/")[2]
        height, width = image.mask.shape
        images, file = self.images[image.split], self.files[image.split]
        self.placed += 1
        images.append({"id": self.placed, "file_name": name, "width": int(width), "height": int(height)})
        for region in regions:
            self.count += 1
            about = {"id": self.count, "image_id": self.placed, **region.to_coco()}
            file.write(self.separator[image.split] + json.dumps(about))
            self.separator[image.split] = ",\n"

    def close(self) -> None:
        for split, file in self.files.items():
            file.write(f'], "images": {json.dumps(self.images[split])}}}\n')
            file.close()
