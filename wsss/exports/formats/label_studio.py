"""Label Studio's form: tasks with brush masks as predictions, which people correct and submit."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from wsss.data.outlines import Region
from wsss.data.palette import voc_palette
from wsss.exports.formats.writer import Target, Writer
from wsss.exports.sources import Labeled

#: where Label Studio serves files of its local storage
PREFIX = "/data/local-files/?d="
#: bits of a run's length, of which a run names one by its number
SIZES = (3, 4, 8, 16)
_LONGEST = 1 << SIZES[-1]


class LabelStudioWriter(Writer):
    """`tasks.json` to import, `labeling.xml` for the project's interface, photographs in `images/`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.count = 0
        self.file = target.stream("tasks.json")
        self.file.write("[")

    def add(self, image: Labeled, regions: Sequence[Region]) -> None:
        name = self.target.place(image, "images")
        self.file.write(",\n" if self.count else "\n")
        self.count += 1
        known = [region.confidence for region in regions if region.confidence is not None]
        prediction: dict[str, Any] = {
            "model_version": "wsss",
            "result": [
                _brush(region, self.target.classes[region.value - 1], f"{self.count}-{number}")
                for number, region in enumerate(regions)
            ],
        }
        if known:
            prediction["score"] = round(float(np.mean(known)), 4)
        data = {"image": PREFIX + quote(name), "wsss_id": image.name}
        self.file.write(json.dumps({"data": data, "predictions": [prediction]}))

    def close(self) -> None:
        self.file.write("\n]\n")
        self.file.close()
        colors = voc_palette()
        labels = "".join(
            f'    <Label value={quoteattr(name)} background="#{bytes(colors[value].tolist()).hex()}"/>\n'
            for value, name in enumerate(self.target.classes, 1)
        )
        self.target.file("labeling.xml").write_text(
            '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
            f'  <BrushLabels name="mask" toName="image">\n{labels}  </BrushLabels>\n</View>\n',
            encoding="utf-8",
        )


def _brush(region: Region, label: str, identity: str) -> dict[str, Any]:
    height, width = region.size
    return {
        "id": identity,
        "type": "brushlabels",
        "from_name": "mask",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": encode(region.whole), "brushlabels": [label]},
        **({} if region.confidence is None else {"score": round(region.confidence, 4)}),
    }


def encode(mask: np.ndarray) -> list[int]:
    """A mask (H, W), 0 or 1, as Label Studio's run lengths: bytes of the RGBA picture's packed runs.

    32 bits: number of values; 5: bits of a value; 4 each: bits of the lengths; then per run: 1, two bits that
    choose the length's bits, the length and the value, each number less one but for values.
    """
    flat = mask.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], changes, [flat.size]])
    bits = [f"{4 * flat.size:032b}", f"{7:05b}", *(f"{size - 1:04b}" for size in SIZES)]
    for start, length in zip(starts[:-1], 4 * np.diff(starts), strict=True):
        value = f"{255 if flat[start] else 0:08b}"
        whole, rest = divmod(int(length), _LONGEST)
        for run in [_LONGEST] * whole + [rest] * bool(rest):
            number = next(number for number, size in enumerate(SIZES) if run <= 1 << size)
            bits.append(f"1{number:02b}{run - 1:0{SIZES[number]}b}{value}")
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))
