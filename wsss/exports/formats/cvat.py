"""CVAT's "CVAT for images 1.1": polygons and, of regions with holes, run lengths within their box."""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from wsss.data.outlines import Region
from wsss.exports.formats.writer import Target, Writer
from wsss.exports.sources import Labeled


class CvatWriter(Writer):
    """`annotations.xml`, and the photographs in `images/`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.count = 0
        self.file = target.stream("annotations.xml")
        labels = "".join(
            f"<label><name>{escape(name)}</name><attributes/></label>" for name in target.classes
        )
        self.file.write(
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
            f"<meta><task><labels>{labels}</labels></task></meta>\n"
        )

    def add(self, image: Labeled, regions: Sequence[Region]) -> None:
        name = self.target.place(image, "images").partition("/")[2]
        height, width = image.mask.shape
        self.file.write(_tag("image", id=self.count, name=name, width=width, height=height) + ">\n")
        self.count += 1
        for region in regions:
            shared = {"label": self.target.classes[region.value - 1], "source": "auto", "occluded": 0}
            holes = len(region.outlines) > 1
            self.file.write(
                _tag("mask" if holes else "polygon", **shared, **_shape(region, holes), z_order=0) + "/>\n"
            )
        self.file.write("</image>\n")

    def close(self) -> None:
        self.file.write("</annotations>\n")
        self.file.close()


def _tag(name: str, /, **attributes: object) -> str:
    """The start of an element, without its end."""
    return f"<{name}" + "".join(f" {key}={quoteattr(str(value))}" for key, value in attributes.items())


def _shape(region: Region, holes: bool) -> dict[str, object]:
    if not holes:
        return {"points": ";".join(f"{x:.2f},{y:.2f}" for x, y in region.outlines[0].tolist())}
    left, top, width, height = region.box
    runs = ", ".join(str(length) for length in run_lengths(region.pixels))
    return {"rle": runs, "left": left, "top": top, "width": width, "height": height}


def run_lengths(pixels: np.ndarray) -> list[int]:
    """Lengths of runs of False and True in turn, False first, row by row. pixels: bool (h, w)."""
    flat = pixels.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return [0, *lengths] if flat[0] else list(lengths)
