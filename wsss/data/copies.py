"""Smaller copies of photographs and of their masks: a camera's twelve million pixels are of no use here.

The walk and the dense CRF work on every pixel of an image, and a training decodes each anew in every epoch.
"""

from pathlib import Path

from PIL import Image

from wsss.data.checks import by, orientation_of
from wsss.data.folder import MASK_SUFFIXES, find_images
from wsss.data.formats import COMMON
from wsss.data.images import TURNS, read_header, read_image
from wsss.data.listing import Names
from wsss.data.mask_agreement import tell_both
from wsss.data.photos import within
from wsss.errors import UserError
from wsss.progress import track
from wsss.store.files import atomic

#: of copies in JPEG: no more is lost than by making the photograph smaller
QUALITY = 95


def smaller_copies(
    images: Path, masks: Path | None, side: int, out: Path, *, orientation: str = "auto"
) -> tuple[Path, Path | None]:
    """Copy a directory of photographs, upright, their longer side at most `side` px, and their masks alike.

    Copies go to directories of images and of masks in `out`, which are returned; a copy that is newer than
    its original stays. A photograph of a format that few programs write becomes a PNG. A mask, <name>.png in
    `masks`, has the size of its photograph as it is shown, or as it is stored; orientation: `auto`, `seen` or
    `stored`, as `dataset.masks_orientation`. Raises UserError naming the image or mask that does not open,
    and a mask that does not fit.
    """
    found = find_images(images)
    known = None if masks is None else Names(masks, MASK_SUFFIXES, deep=True)
    masks_out = out / ("masks" if orientation == "auto" else f"masks-{orientation}")
    both = []
    for name, path in track(found.items(), label="smaller copies", total=len(found)):
        mask = None if known is None else known.get(name)
        copies = {path: _place(out / "images" / path.relative_to(images))}
        if mask is not None:
            copies[mask] = masks_out / f"{name}.png"
            both += [name] if orientation == "auto" and _fits_both(mask, path) else []
        if all(copy.is_file() and copy.stat().st_mtime > of.stat().st_mtime for of, copy in copies.items()):
            continue
        small = within(read_image(path), side)
        if mask is not None:
            labels = _upright(mask, path, orientation).resize(small.size, Image.Resampling.NEAREST)
            _save(labels, copies[mask])
        _save(small, copies[path])
    tell_both(both, str(masks))
    return out / "images", None if masks is None else masks_out


def _place(copy: Path) -> Path:
    return copy if copy.suffix.lower() in COMMON else copy.with_suffix(".png")


def _fits_both(mask: Path, path: Path) -> bool:
    header = read_header(path)
    return header.orientation != 1 and orientation_of(read_header(mask).size, header, "auto")[1]


def _upright(mask: Path, path: Path, orientation: str) -> Image.Image:
    """A mask of any form, its values or colors as they are, turned as its photograph is."""
    try:
        with Image.open(mask) as image:
            image.load()
            labels = image.convert("L") if image.mode in ("1", "LA") else image.copy()
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{mask}: mask does not open ({error})") from None
    if labels.mode not in ("L", "P", "RGB", "RGBA"):
        raise UserError(
            f"{mask}: mask is an image of mode {labels.mode}; must be gray or palette, of 8 bits, or RGB"
        )
    size = (labels.height, labels.width)
    turn, _, fault = orientation_of(size, read_header(path), orientation)
    if fault:
        raise UserError(f"{mask}: mask is {by(size)} but {path} is {fault}")
    return labels if turn == 1 else labels.transpose(TURNS[turn])


def _save(image: Image.Image, path: Path) -> None:
    with atomic(path) as temporary:
        image.save(temporary, Image.registered_extensions()[path.suffix.lower()], quality=QUALITY, exif=b"")
