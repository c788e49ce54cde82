"""YOLO's form of segmentations, as Ultralytics reads it: a text file per photograph, a polygon per line."""

import json
from collections.abc import Sequence

from wsss.data.outlines import Region
from wsss.exports.formats.writer import Writer
from wsss.exports.sources import Labeled


class YoloWriter(Writer):
    """`images/<split>/`, `labels/<split>/`, and `data.yaml`. A cut connects a hole with the outside."""

    def add(self, image: Labeled, regions: Sequence[Region]) -> None:
        self.target.place(image, f"images/{image.split}")
        height, width = image.mask.shape
        lines = []
        for region in regions:
            numbers = (region.joined / (width, height)).ravel()
            lines.append(" ".join([str(region.value - 1), *(f"{number:.6f}" for number in numbers)]))
        text = "".join(f"{line}\n" for line in lines)
        self.target.file("labels", image.split, f"{image.name}.txt").write_text(text, encoding="utf-8")

    def close(self) -> None:
        splits = self.target.splits
        lines = [f"train: images/{splits[0]}", f"val: images/{splits[-1]}", "names:"]
        # A JSON string is one of YAML, too, whatever a class is called.
        lines += [f"  {number}: {json.dumps(name)}" for number, name in enumerate(self.target.classes)]
        self.target.file("data.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
