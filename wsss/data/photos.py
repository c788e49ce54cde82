"""Photographs as people have them: files and folders of any names and sizes, sideways ones too."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from wsss.data.images import image_size, read_image
from wsss.errors import UserError

#: of the files of a folder that are taken for photographs
SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
SHOWN_FAULTS = 20


@dataclass(frozen=True)
class Photo:
    """A photograph. name: what it makes is called so; of a folder's file, its path in there, no suffix."""

    name: str
    path: Path

    def upright(self) -> Image.Image:
        """Its pixels, 8-bit RGB, turned as viewers show them (EXIF). Raises UserError as `read_image`."""
        return ImageOps.exif_transpose(read_image(self.path))


def find_photos(paths: Iterable[Path], *, leave_out: Path) -> list[Photo]:
    """The photographs among files and, however deep, in folders; those of a folder by name.

    leave_out: a directory that is not looked into. Raises UserError for what is not there, a folder without a
    photograph, images that do not open, all at once, and two of one name.
    """
    photos: dict[str, Photo] = {}
    faults = []
    for path in paths:
        found = list(_in_folder(path, leave_out)) if path.is_dir() else [Photo(path.stem, path)]
        if not found:
            faults.append(f"{path}: holds no photograph ({', '.join(sorted(SUFFIXES))})")
        for photo in found:
            before = photos.setdefault(photo.name, photo)
            if before.path.resolve() != photo.path.resolve():
                faults.append(
                    f"{photo.path}: has the name of {before.path}; predict them one after the other"
                )
            faults += _fault(photo.path)
    if faults:
        more = [f"and {len(faults) - SHOWN_FAULTS} more"] if len(faults) > SHOWN_FAULTS else []
        raise UserError("\n  ".join(["not everything is a photograph:", *faults[:SHOWN_FAULTS], *more]))
    return list(photos.values())


def within(image: Image.Image, side: int) -> Image.Image:
    """The image, made smaller if its longer side exceeds `side` px; 0: never."""
    longest = max(image.size)
    if not side or longest <= side:
        return image
    width, height = (max(1, round(length * side / longest)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def enlarged(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A label map (h, w), uint8, at another size (H, W): each pixel has the label of the nearest."""
    if labels.shape == size:
        return labels
    height, width = size
    return np.asarray(Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST))


def _in_folder(folder: Path, leave_out: Path) -> Iterator[Photo]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if path.suffix.lower() in SUFFIXES and path.is_file() and not hidden:
            if path.resolve().is_relative_to(leave_out.resolve()):
                continue
            yield Photo(inside.with_suffix("").as_posix(), path)


def _fault(path: Path) -> list[str]:
    try:
        image_size(path)
    except UserError as error:
        return [str(error)]
    return []
