"""The index of a split: which images there are, with their masks and image-level labels, checked once.

Everything later trusts an index: each image opens, each mask fits its image, each label is known.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from wsss.errors import UserError
from wsss.store.files import atomic, read_json, write_json

COLUMNS = ("id", "image", "mask", "labels")
SHOWN_FAULTS = 20


@dataclass(frozen=True)
class Record:
    """One image: its id, file, mask file (None where there is none) and the names of the classes it shows."""

    id: str
    image: Path
    mask: Path | None
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Index:
    """The images of a split, in order.

    classes are the foreground classes in channel order: CAM channel c is mask value c + 1. digest is that of
    the configuration which made the index. largest: (H, W) of the image of the most pixels, which bounds the
    memory that later stages take; None of an index that is read.
    """

    records: tuple[Record, ...]
    classes: tuple[str, ...]
    split: str
    digest: str
    largest: tuple[int, int] | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    @property
    def masked(self) -> list[Record]:
        """The images that have a mask."""
        return [record for record in self.records if record.mask is not None]

    @property
    def negatives(self) -> frozenset[str]:
        """Ids of the images that show none of the classes."""
        return frozenset(record.id for record in self.records if not record.labels)

    def labels(self) -> np.ndarray:
        """Image-level labels, multi-hot float32 (N, C)."""
        channel = {name: c for c, name in enumerate(self.classes)}
        hot = np.zeros((len(self.records), len(self.classes)), np.float32)
        for row, record in enumerate(self.records):
            hot[row, [channel[name] for name in record.labels]] = 1
        return hot

    def shard(self, i: int, n: int) -> "Index":
        """The images at positions p with p mod n = i; the n shards share out the index."""
        if not 0 <= i < n:
            raise ValueError(f"shard {i} of {n}: i must lie in 0..n-1")
        return replace(self, records=self.records[i::n])

    def write(self, path: str | Path) -> None:
        """Write the CSV, and beside it a JSON file with classes, split, digest and counts.

        The JSON is written first: where there is a CSV, its JSON is there too.
        """
        counts = self.labels().sum(axis=0)
        write_json(
            Path(path).with_suffix(".json"),
            {
                "split": self.split,
                "digest": self.digest,
                "classes": list(self.classes),
                "images": len(self),
                **(
                    {"largest_image": {"height": self.largest[0], "width": self.largest[1]}}
                    if self.largest
                    else {}
                ),
                "with_mask": sum(record.mask is not None for record in self.records),
                "without_labels": sum(not record.labels for record in self.records),
                "images_per_class": {name: int(n) for name, n in zip(self.classes, counts, strict=True)},
            },
        )
        with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for record in self.records:
                writer.writerow((record.id, record.image, record.mask or "", ";".join(record.labels)))

    @classmethod
    def read(cls, path: str | Path) -> "Index":
        """Read what `write` wrote. Raises UserError naming the file; images are not looked at again."""
        path = Path(path)
        about = _read_about(path.with_suffix(".json"))
        known = set(about["classes"])
        try:
            with open(path, encoding="utf-8", newline="") as file:
                reader = csv.reader(file)
                header = tuple(next(reader, ()))
                rows = list(reader)
        except FileNotFoundError:
            raise UserError(f"{path}: no such index; make it: snakemake --cores all {path}") from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise UserError(
                f"{path}: not a CSV file ({error}). Delete it, and snakemake makes it again"
            ) from None
        if header != COLUMNS:
            raise UserError(f"{path}: columns are {', '.join(header)}; they must be {', '.join(COLUMNS)}")
        records = []
        faults = []
        for line, row in enumerate(rows, start=2):
            if len(row) != len(COLUMNS):
                faults.append(f"line {line}: {len(row)} cells, not {len(COLUMNS)}")
                continue
            name, image, mask, joined = row
            labels = tuple(joined.split(";")) if joined else ()
            faults += [f"line {line}: unknown class {label!r}" for label in labels if label not in known]
            records.append(Record(name, Path(image), Path(mask) if mask else None, labels))
        if len(rows) != about["images"]:
            faults.append(f"{len(rows)} images, but {path.stem}.json counts {about['images']}")
        raise_faults(str(path), faults)
        return cls(tuple(records), tuple(about["classes"]), about["split"], about["digest"])


def _read_about(path: Path) -> dict[str, Any]:
    about = read_json(path)
    types = {"split": str, "digest": str, "classes": list, "images": int}
    if not isinstance(about, dict) or not all(
        isinstance(about.get(key), kind) for key, kind in types.items()
    ):
        raise UserError(
            f"{path}: must hold {', '.join(types)}; it was not written with its index; make that again"
        )
    return about


def raise_faults(what: str, faults: Sequence[str]) -> None:
    """Raise UserError with all of the faults, if there are any."""
    if not faults:
        return
    lines = list(faults[:SHOWN_FAULTS])
    if len(faults) > SHOWN_FAULTS:
        lines.append(f"and {len(faults) - SHOWN_FAULTS} more")
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    raise UserError("\n  ".join([f"{what}: {count}", *lines]))
