"""What is checked of an image and its mask for an index: both decode, fit each other, and are known."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsss.data.images import Header, check_image
from wsss.data.mask_form import MaskForm
from wsss.errors import UserError
from wsss.metrics import IGNORE


@dataclass(frozen=True)
class Checked:
    """What an image and its mask hold.

    header: None where the image does not open. values: class values of the mask, empty without one. turn: the
    EXIF orientation that makes the mask upright, 1 for none. both: the mask fits the photograph as it is
    shown and as it is stored. faults: what is wrong, in words.
    """

    header: Header | None = None
    values: frozenset[int] = frozenset()
    turn: int = 1
    both: bool = False
    faults: tuple[str, ...] = ()


def check_files(image: Path, mask: Path | None, classes: Collection[str], form: MaskForm) -> Checked:
    """Decode an image and its mask once, and hold them against each other. Never raises UserError."""
    faults: list[str] = []
    header = None
    try:
        header = check_image(image)
    except UserError as error:
        faults.append(str(error))
    if mask is None:
        return Checked(header, faults=tuple(faults))
    try:
        values = form.read(mask)
    except UserError as error:
        return Checked(header, faults=(*faults, str(error)))
    turn, both = 1, False
    if header is not None:
        turn, both, fault = orientation_of(values.shape, header, form.orientation)
        faults += [f"{mask}: mask is {by(values.shape)} but {image} is {fault}"] if fault else []
    held = frozenset(np.flatnonzero(np.bincount(values.ravel(), minlength=256)).tolist())
    hint = ", unless dataset.mask_values says what others mean" if form.plain else ""
    if wrong := sorted(value for value in held if len(classes) < value < IGNORE):
        faults.append(
            f"{mask}: mask holds {wrong}; allowed are 0..{len(classes)} and {IGNORE} (ignored){hint}"
        )
    return Checked(header, held, turn, both, tuple(faults))


def orientation_of(shape: tuple[int, ...], header: Header, asked: str) -> tuple[int, bool, str]:
    """How a mask of (H, W) is turned to be upright, whether it fits in both orientations, and what is wrong.

    asked: `seen`, `stored`, or `auto`: as the photograph is shown where that fits, else as it is stored.
    """
    seen, stored = shape == header.upright, shape == header.size
    if asked == "stored":
        seen = False
    elif asked == "seen":
        stored = False
    if seen or stored:
        return 1 if seen else header.orientation, seen and stored and header.orientation != 1, ""
    if header.orientation == 1 or header.size == header.upright:
        return 1, False, f"{by(header.size)} (width x height); they must be equal"
    sizes = f"{by(header.upright)} as shown, {by(header.size)} as stored"
    wanted = {"seen": " (dataset.masks_orientation: seen)", "stored": " (dataset.masks_orientation: stored)"}
    return 1, False, f"{sizes} (width x height); it must be one of them{wanted.get(asked, '')}"


def upright(values: np.ndarray, turn: int) -> np.ndarray:
    """Maps (..., H, W) turned as viewers turn stored pixels with this EXIF orientation."""
    if turn >= 5:
        values = values.swapaxes(-1, -2)
    if turn in (2, 3, 6, 7):
        values = values[..., ::-1]
    if turn in (3, 4, 7, 8):
        values = values[..., ::-1, :]
    return np.ascontiguousarray(values)


def by(shape: tuple[int, ...]) -> str:
    """A shape (H, W) as width x height."""
    return f"{shape[1]}x{shape[0]}"
