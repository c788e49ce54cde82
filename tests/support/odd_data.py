"""A data set in VOC's layout whose images are odd in every way that is allowed, and ways to spoil it."""

import pickle
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wsss.store.files import write_text

CLASSES = ("a", "b", "never")
#: id -> size (H, W), labels, mode
ODD: dict[str, tuple[tuple[int, int], tuple[str, ...], str]] = {
    "plain": ((40, 56), ("a",), "RGB"),
    "other": ((48, 40), ("b",), "RGB"),
    "both": ((40, 40), ("a", "b"), "RGB"),
    "point": ((1, 1), ("a",), "RGB"),
    "line": ((1, 70), ("b",), "RGB"),
    "thread": ((90, 2), ("a",), "RGB"),
    "gray": ((40, 40), ("a",), "L"),
    "cmyk": ((40, 44), ("b",), "CMYK"),
    "deep": ((40, 44), ("a",), "I;16"),
    "turned": ((32, 60), ("b",), "EXIF"),
    "nothing": ((40, 40), (), "RGB"),
}
#: takes a while
LARGE: dict[str, tuple[tuple[int, int], tuple[str, ...], str]] = {"large": ((4000, 6000), ("a",), "RGB")}


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return open, (str(self.trace), "w")


def malicious(trace: Path) -> bytes:
    """A pickle that makes the file `trace` when it is loaded."""
    return pickle.dumps(Malicious(trace), protocol=2)


def make_odd_data(root: Path, ids: Iterable[str] = ODD) -> None:
    """Write the images, masks, annotations and the splits `train`, all of `ids`, and `val`, the first."""
    rng = np.random.default_rng(0)
    ids = list(ids)
    for name in ids:
        size, labels, mode = {**ODD, **LARGE}[name]
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        mask = np.zeros(size, np.uint8)
        for label in labels:
            part = (slice(-(-size[0] // 2)), slice(-(-size[1] // 2)))
            mask[part] = CLASSES.index(label) + 1
            pixels[part][..., CLASSES.index(label)] |= 192
        save_image(root, name, pixels, mode)
        save_mask(root, name, mask)
        boxes = "".join(
            f"<object><name>{label}</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>30</xmax><ymax>30</ymax>"
            "</bndbox></object>"
            for label in labels
        )
        size_tag = "<size><width>90</width><height>90</height></size>"
        write_text(root / "Annotations" / f"{name}.xml", f"<annotation>{size_tag}{boxes}</annotation>")
    write_text(root / "classes.txt", "\n".join(CLASSES))
    for split, listed in {"train": ids, "val": ids[:1]}.items():
        write_text(root / "ImageSets" / "Segmentation" / f"{split}.txt", "\n".join(listed))


def save_image(root: Path, name: str, pixels: np.ndarray, mode: str = "RGB") -> Path:
    """Write JPEGImages/<name>: JPEG, or PNG where JPEG has no such mode. Returns where it is."""
    image = Image.fromarray(pixels)
    path = root / "JPEGImages" / f"{name}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == "I;16":
        path = path.with_suffix(".png")
        Image.fromarray(pixels[..., 0].astype(np.uint16) << 8).save(path)
    elif mode == "EXIF":
        turned = Image.Exif()
        turned[274] = 6  # the orientation: a quarter turn clockwise
        image.save(path, exif=turned)
    else:
        image.convert(mode).save(path)
    return path


def save_mask(root: Path, name: str, mask: np.ndarray) -> Path:
    """Write SegmentationClass/<name>.png. Returns where it is."""
    path = root / "SegmentationClass" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)
    return path


def said_by(snakemake_printed: str) -> str:
    """What concerns the user in what Snakemake prints: messages of ours and its own of what has failed."""
    ours = re.findall(r"^error: .*(?:\n  .*)*", snakemake_printed, re.MULTILINE)
    its = re.findall(r"rule \w+ failed|a job was ended by \w+", snakemake_printed)
    return " … ".join([*ours, *its])
