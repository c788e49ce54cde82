"""CAMs of a shard of images with test-time augmentation, kept at the resolution the network gives them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from wsss.data.index import Index, Record
from wsss.errors import UserError
from wsss.inference.cam_network import CamNetwork
from wsss.inference.score_maps import MapSource, score_maps
from wsss.inference.shards import shard_label
from wsss.progress import track
from wsss.store.cams import CamMaps

#: published scales
SCALES = (0.5, 1.0, 1.5, 2.0)


def cam_maps(
    model: Any,
    index: Index,
    *,
    network: Callable[[Any, torch.device, str, bool], MapSource] = CamNetwork,
    shard: tuple[int, int] = (0, 1),
    scales: Sequence[float] = SCALES,
    flip: bool = True,
    precision: str = "float32",
    device: str | torch.device = "cpu",
    batch: int = 1,
    workers: int = 0,
    progress: bool = True,
) -> Iterator[CamMaps]:
    """The CAMs of the labeled classes of each image of a shard, in the index's order.

    An image without labels has K = 0. network: makes maps of the model (a `Classifier`, by default), and says
    what a map is, and what `flip` and `precision` are.

    shard: (i, n), the images whose position in the index is i mod n. batch: images of one size that a GPU
    sees at once, and their mirror images with them. workers: processes that decode and resize for a GPU. A
    CPU does without either, see `DeviceNetwork.loading`.

    Raises UserError when no image of the whole index has image-level labels, when a single image does not fit
    into the GPU's memory, and when a map is not finite.
    """
    if len(index) and not any(record.labels for record in index):
        raise UserError(
            f"split {index.split}: none of its {len(index)} images has image-level labels. CAMs keep the "
            "labeled classes only, so they need such labels; choose a split that has them, and where it is "
            "the validation split, set dataset.val_labels to false"
        )
    part = index.shard(*shard)
    source = network(model, torch.device(device), precision, flip)
    batch, workers = source.loading(batch, workers)
    maps = score_maps(source, CamMaps, part.records, labeled(index), scales, batch=batch, workers=workers)
    return track(maps, label=shard_label("CAMs", index, shard), total=len(part), enabled=progress)


def labeled(index: Index) -> Callable[[Record], list[int]]:
    """Gives the channels of an image's labels, ascending."""
    channel = {name: position for position, name in enumerate(index.classes)}
    return lambda record: sorted(channel[name] for name in record.labels)
