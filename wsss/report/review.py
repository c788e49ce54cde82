"""The queue of a review: photographs with their label maps, the doubtful ones first, and what was decided."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wsss.data.images import read_image
from wsss.data.index import Record
from wsss.data.palette import voc_palette
from wsss.errors import UserError
from wsss.figures.overlay import colored
from wsss.figures.sheet import resize, resize_labels, size_within
from wsss.store.files import read_json, write_json
from wsss.store.label_maps import LabelShard

FORMAT = "wsss review 1"
DECISIONS = ("accept", "reject")
#: longest side of pictures, px
SIDE = 1000


@dataclass(frozen=True)
class Item:
    """A photograph of the queue. quality: in 0..1, see `wsss.evaluation.quality`. shard: of its label map."""

    record: Record
    quality: float
    shard: LabelShard


class Review:
    """The items, worst first, and the decisions, which are written to `file` at once.

    classes: of the run. Raises UserError for a file of another review.
    """

    def __init__(self, items: list[Item], classes: tuple[str, ...], file: Path) -> None:
        self.items = sorted(items, key=lambda item: item.quality)
        self.classes, self.file = classes, file
        self.decided: dict[str, dict[str, Any]] = {}
        if file.is_file():
            found = read_json(file)
            if not isinstance(found, dict) or found.get("format") != FORMAT:
                raise UserError(f"{file}: not of `wsss review`; move it away")
            self.decided = found["images"]

    def queue(self) -> dict[str, Any]:
        """What the page shows: classes with colors, and of each item id, quality, labels and decision."""
        colors = ["#" + bytes(color.tolist()).hex() for color in voc_palette()[1 : len(self.classes) + 1]]
        return {
            "classes": [{"name": n, "color": c} for n, c in zip(self.classes, colors, strict=True)],
            "items": [
                {
                    "id": item.record.id,
                    "quality": round(item.quality, 3),
                    "labels": list(item.record.labels),
                    **self.decided.get(item.record.id, {}),
                }
                for item in self.items
            ],
        }

    def decide(self, place: int, decision: str | None, labels: list[str] | None) -> None:
        """Accept or reject a label map, or take that back (None); labels: other ones than it had, or None.

        Raises UserError for what is no decision, and unknown classes.
        """
        if decision not in (*DECISIONS, None):
            raise UserError(f"decision {decision!r}: must be one of {', '.join(DECISIONS)}")
        if unknown := [name for name in labels or () if name not in self.classes]:
            raise UserError(f"label {unknown[0]!r}: must be one of {', '.join(self.classes)}")
        record = self.items[place].record
        self.decided.pop(record.id, None)
        if decision is not None:
            changed = labels is not None and set(labels) != set(record.labels)
            self.decided[record.id] = {"decision": decision, **({"labels": labels} if changed else {})}
        write_json(self.file, {"format": FORMAT, "classes": list(self.classes), "images": self.decided})

    def picture(self, place: int, *, overlay: bool) -> bytes:
        """The photograph, or its classes in color over it: JPEG of at most `SIDE` px."""
        item = self.items[place]
        pixels = np.asarray(read_image(item.record.image))
        size = size_within((pixels.shape[0], pixels.shape[1]), min(SIDE, max(pixels.shape[:2])))
        small = resize(pixels, size)
        if overlay:
            small = colored(small, resize_labels(item.shard[item.record.id], size))
        file = io.BytesIO()
        Image.fromarray(small).save(file, "JPEG", quality=88)
        return file.getvalue()
