"""CAMs and saliency in the form of P-NOC's releases, a file per image: checked, read without running code.

CAMs are a pickled dict in a .npy file: `keys`, 0 and then the mask value of each map, ascending; `cam`, of a
fourth of the image's resolution, a torch tensor; `hr_cam`, of all of it. Each class is divided by its
maximum. Saliency is a gray PNG of 8 bits, 255 salient.
"""

import io
import math
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from wsss.data.checks import orientation_of, upright
from wsss.data.images import Header, image_size, read_header
from wsss.data.index import Record
from wsss.errors import UserError
from wsss.store.array_pickle import numbers, read_dict
from wsss.store.cams import CamMaps

#: names of the maps in a release, and their strides
CAMS = {"cam": 4, "hr_cam": 1}


def released_cams(path: Path | None, record: Record, classes: Sequence[str]) -> CamMaps:
    """The CAMs of one image. classes: foreground ones, in the order of their mask values from 1 on.

    path: None where there is no file, of an image without labels. Raises UserError naming the file when it is
    no such dict, when its classes are not the image's labels, its maps are not of the image's size, not
    finite or not in 0..1.
    """
    if path is None:
        size = image_size(record.image)
        none = {stride: np.zeros((0, *_sides(size, stride)), np.float32) for stride in CAMS.values()}
        return CamMaps(record.id, size, np.zeros(1, np.int64), {}, none)
    values = read_dict(path, TENSORS)
    if missing := [name for name in ("keys", *CAMS) if name not in values]:
        raise UserError(f"{path}: has no {', '.join(missing)}; it has {', '.join(map(repr, values))}")
    keys = _keys(path, values["keys"], record, classes)
    header = read_header(record.image)
    merged = {stride: _map(path, name, values[name], len(keys) - 1, header) for name, stride in CAMS.items()}
    return CamMaps(record.id, header.upright, keys, {}, merged)


def released_saliency(path: Path | None, record: Record, *, masks: bool) -> np.ndarray:
    """The saliency of one image, uint8 (H, W).

    path: None where there is no file, of an image without labels, which shows no object. masks: it must be 0
    or 255. Raises UserError naming the file when it is no gray PNG of 8 bits, or not of the image's size.
    """
    if path is None:
        return np.zeros(image_size(record.image), np.uint8)
    try:
        with Image.open(path) as image:
            if image.format != "PNG" or image.mode != "L":
                raise UserError(f"{path}: {image.format} of mode {image.mode}; must be a gray PNG of 8 bits")
            saliency = np.array(image)
    except (OSError, SyntaxError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    header = read_header(record.image)
    turn, _, fault = orientation_of(saliency.shape, header, "auto")
    if fault:
        sizes = f"is {_by(saliency.shape)}, {record.image} is {_by(header.upright)} (width x height)"
        raise UserError(f"{path}: {sizes}")
    if masks and (between := np.unique(saliency[(saliency > 0) & (saliency < 255)])).size:
        raise UserError(
            f"{path}: holds {', '.join(map(str, between[:5]))}; a mask must be 0 or 255 (import soft "
            "maps with --stage saliency, into a run with saliency.refine: poolnet)"
        )
    return upright(saliency, turn)


def _keys(path: Path, value: Any, record: Record, classes: Sequence[str]) -> np.ndarray:
    array = numbers(value)
    keys = value if isinstance(value, list) else [] if array is None else array.ravel().tolist()
    names = ["background", *classes]
    if keys[:1] != [0] or sorted(set(keys)) != keys or not all(key in range(len(names)) for key in keys):
        allowed = f"0 and then mask values of 1..{len(classes)}, ascending"
        raise UserError(f"{path}: keys are {value if array is None else keys}; must be {allowed}")
    shown = {names[key] for key in keys[1:]}
    if shown != set(record.labels):
        raise UserError(
            f"{path}: maps of {', '.join(names[key] for key in keys[1:]) or 'no class'}, but the labels of "
            f"{record.id} are {', '.join(record.labels) or 'none'}"
        )
    return np.array(keys, np.int64)


def _map(path: Path, name: str, value: Any, count: int, header: Header) -> np.ndarray:
    """A map as photographs are shown; one in the orientation of the file, by its size, is turned."""
    array = value.numpy() if isinstance(value, Tensor) else numbers(value)
    if array is None or array.dtype.kind != "f":
        raise UserError(f"{path}: {name} is no array of floating-point numbers")
    stride = CAMS[name]
    wanted, stored = ((count, *_sides(size, stride)) for size in (header.upright, header.size))
    if array.shape == stored != wanted:
        array = upright(array, header.orientation)
    if array.shape != wanted:
        raise UserError(
            f"{path}: {name} is {array.shape}, must be {wanted} for {count} classes of an image of "
            f"{_by(header.upright)} (width x height)"
        )
    if not np.isfinite(array).all():
        raise UserError(f"{path}: {name} is not finite")
    if array.size and not 0 <= array.min() <= array.max() <= 1:
        raise UserError(f"{path}: {name} is in {array.min():g}..{array.max():g}, must be in 0..1")
    return array.astype(np.float32)


def _sides(size: tuple[int, int], stride: int) -> tuple[int, int]:
    return math.ceil(size[0] / stride), math.ceil(size[1] / stride)


def _by(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"


def _storage(content: bytes) -> Any:
    # The pickle contains a file of torch, which torch's own restricted reader reads.
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _tensor(storage: Any, offset: int, size: Sequence[int], stride: Sequence[int], *_: Any) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Torch warns that typed storages are deprecated.
        count = len(storage)
    # A flat tensor first: as_strided refuses views that exceed it.
    flat = torch._utils._rebuild_tensor(storage, 0, (count,), (1,))
    return flat.as_strided(tuple(size), tuple(stride), offset)


#: what tensors in a pickle refer to, and the replacements
TENSORS: Mapping[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("collections", "OrderedDict"): OrderedDict,
}
