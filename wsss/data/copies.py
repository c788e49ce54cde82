"""Smaller copies of photographs and of their masks: a camera's twelve million pixels are of no use here.

The walk and the dense CRF work on every pixel of an image, and a training decodes each anew in every epoch.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from PIL.ExifTags import Base

from wsss.data.folder import find_images
from wsss.data.images import read_image
from wsss.data.photos import within
from wsss.errors import UserError
from wsss.progress import track
from wsss.store.files import atomic

#: of copies in JPEG: no more is lost than by making the photograph smaller
QUALITY = 95


def smaller_copies(images: Path, masks: Path | None, side: int, out: Path) -> tuple[Path, Path | None]:
    """Copy a directory of photographs, upright, their longer side at most `side` px, and their masks alike.

    Copies go to `out`/images and `out`/masks, which are returned; a copy that is newer than its original
    stays. A mask, <name>.png in `masks`, has the size of its photograph as that is stored, or upright. Raises
    UserError naming the image or mask that does not open, and a mask that does not fit.
    """
    found = find_images(images)
    for name, path in track(found.items(), label="smaller copies", total=len(found)):
        mask = None if masks is None else masks / f"{name}.png"
        copies = {path: out / "images" / path.relative_to(images)}
        if mask is not None and mask.is_file():
            copies[mask] = out / "masks" / f"{name}.png"
        if all(copy.is_file() and copy.stat().st_mtime > of.stat().st_mtime for of, copy in copies.items()):
            continue
        stored = read_image(path)
        small = within(ImageOps.exif_transpose(stored), side)
        if mask in copies:
            labels = _upright(mask, path, stored).resize(small.size, Image.Resampling.NEAREST)
            _save(labels, copies[mask])
        _save(small, copies[path])
    return out / "images", None if masks is None else out / "masks"


def _upright(mask: Path, path: Path, stored: Image.Image) -> Image.Image:
    """A mask's values, turned as its photograph is."""
    try:
        with Image.open(mask) as image:
            values = np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{mask}: mask does not open ({error})") from None
    if values.ndim != 2 or values.dtype != np.uint8:
        raise UserError(f"{mask}: mask is an image of mode {image.mode}; must be grey or palette, of 8 bits")
    labels, upright = Image.fromarray(values), ImageOps.exif_transpose(stored)
    if labels.size == stored.size:
        labels.getexif()[Base.Orientation] = stored.getexif().get(Base.Orientation, 1)
        return ImageOps.exif_transpose(labels)
    if labels.size != upright.size:
        sizes = [f"{height}x{width}" for width, height in (labels.size, upright.size)]
        raise UserError(f"{mask}: mask is {sizes[0]} but {path} is {sizes[1]}")
    return labels


def _save(image: Image.Image, path: Path) -> None:
    with atomic(path) as temporary:
        image.save(temporary, Image.registered_extensions()[path.suffix.lower()], quality=QUALITY, exif=b"")
