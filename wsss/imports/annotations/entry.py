"""What an annotation tool says of photographs: the labels of each and, where all is outlined, its mask."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import unquote

import numpy as np
from pycocotools import mask as coco_rle

from wsss.data.listing import file_id, nfc
from wsss.errors import UserError

#: names of splits as people write them
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
#: what Label Studio puts before the name of an uploaded file
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")


@dataclass(frozen=True)
class Entry:
    """A photograph. image: its name or path, as the form has it. labels: classes that it shows, unique.

    mask: paints it, uint8 (H, W) of 0, 1, 2, … in the order of the classes; None where not all is outlined.
    size: (H, W), None where the form has none. split: None where it has none. stated: the labels are said of
    the whole photograph, and not only by what is outlined.
    """

    image: str
    labels: tuple[str, ...]
    mask: Callable[[tuple[int, int]], np.ndarray] | None = None
    size: tuple[int, int] | None = None
    split: str | None = None
    stated: bool = False


@dataclass(frozen=True)
class Annotations:
    """All photographs of a file or directory. form: its name. silent: how many it says nothing of."""

    form: str
    classes: tuple[str, ...]
    entries: tuple[Entry, ...]
    silent: int = 0


def painted(
    shapes: Sequence[tuple[int, np.ndarray | Callable[[tuple[int, int]], np.ndarray]]],
) -> Callable[[tuple[int, int]], np.ndarray]:
    """Paints shapes over each other, in order.

    shapes: value of each, and its outline (N, 2), px, or what makes its pixels, bool (H, W).
    """

    def paint(size: tuple[int, int]) -> np.ndarray:
        mask = np.zeros(size, np.uint8)
        for value, shape in shapes:
            mask[shape(size) if callable(shape) else inside(shape, size)] = value
        return mask

    return paint


def inside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The pixels within an outline (N, 2), x and y in px: bool (H, W)."""
    if len(points) < 3:
        return np.zeros(size, bool)
    packed = coco_rle.frPyObjects([np.asarray(points, float).ravel().tolist()], *size)
    return np.asarray(coco_rle.decode(coco_rle.merge(packed))).astype(bool)


def matched(entries: Iterable[Entry], names: Iterable[str], what: str) -> list[Entry]:
    """The entries, with `image` the name of a photograph: by its path or, where it is unique, its file name.

    names: paths of photographs without suffix. what: the annotations, for the error. Entries of no photograph
    are left out where others have one. Raises UserError where none has one, and naming a file name that
    several photographs have.
    """
    paths = list(names)
    known, files = set(paths), dict[str, list[str]]()
    for path in paths:
        files.setdefault(path.rpartition("/")[2], []).append(path)
    found, missing = [], []
    for entry in entries:
        asked = nfc(unquote(entry.image.rpartition("?d=")[2])).replace("\\", "/")
        bare = PurePosixPath(asked.lstrip("/")).with_suffix("").as_posix()
        candidates = [asked.lstrip("/"), bare, file_id(bare)]
        if name := next((each for each in candidates if each in known), None):
            found.append(replace(entry, image=name))
            continue
        stem = PurePosixPath(asked).stem
        same = files.get(stem) or files.get(_UPLOADED.sub("", stem)) or []
        if len(same) > 1:
            raise UserError(f"{what}: {entry.image} may be {same[0]} or {same[1]}; rename one of them")
        if same:
            found.append(replace(entry, image=same[0]))
        else:
            missing.append(entry.image)
    if missing and not found:
        raise UserError(f"{what}: names {missing[0]}, which is not among the photographs, such as {paths[0]}")
    return found
