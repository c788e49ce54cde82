"""Photographs as people have them: files and folders of any names and sizes, sideways ones too."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from wsss.data.formats import COMMON, rank, suffixes, why_unread
from wsss.data.images import check_image, read_image
from wsss.data.listing import Names
from wsss.errors import UserError
from wsss.progress import LOGGER

SHOWN_FAULTS = 20
SHOWN_FILES = 10


@dataclass(frozen=True)
class Photo:
    """A photograph. name: what it makes is called so; of a folder's file, its path in there, no suffix."""

    name: str
    path: Path

    def upright(self) -> Image.Image:
        """Its pixels, 8-bit RGB, turned as viewers show them (EXIF). Raises UserError as `read_image`."""
        return read_image(self.path)


def find_photos(paths: Iterable[Path], *, leave_out: Path) -> list[Photo]:
    """The photographs among files and, however deep, in folders, linked ones too; those of a folder by name.

    Files of a folder that are no photographs are counted and told. leave_out: a directory that is not looked
    into. Raises UserError for what is not there, a folder without a photograph, images that do not decode,
    all at once, and two of one name.
    """
    photos: dict[str, Photo] = {}
    faults = []
    for path in paths:
        found = _in_folder(path, leave_out) if path.is_dir() else [Photo(path.stem, path)]
        if not found:
            faults.append(f"{path}: holds no photograph ({', '.join(sorted(suffixes()))})")
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


def _in_folder(folder: Path, leave_out: Path) -> list[Photo]:
    """The photographs of a folder; tells what else is in it."""

    def is_own(path: Path) -> bool:
        return path.resolve().is_relative_to(leave_out.resolve())

    names = Names(folder, suffixes(), deep=True)
    photos, others = [], []
    for name, paths in names.found.items():
        common = [path for path in paths if path.suffix.lower() in COMMON]
        taken = common or [min(paths, key=rank)]
        photos += [Photo(name, path) for path in taken if not is_own(path)]
        others += [(path, f"{taken[0].name} is taken") for path in paths if path not in taken]
    others += [(path, why_unread(path)) for paths in names.left_out.values() for path in paths]
    if others := [(path, why) for path, why in others if not is_own(path)]:
        shown = ", ".join(f"{path.relative_to(folder)} ({why})" for path, why in others[:SHOWN_FILES])
        more = " …" if len(others) > SHOWN_FILES else ""
        LOGGER.warning("%s: %d files are left out: %s%s", folder, len(others), shown, more)
    return photos


def _fault(path: Path) -> list[str]:
    try:
        check_image(path)
    except UserError as error:
        return [str(error)]
    return []
