"""Saliency of a shard of images from networks: C2AM's maps, PoolNet's maps."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.nn.functional import interpolate

from wsss.data.index import Index
from wsss.inference.cam_network import C2amNetwork
from wsss.inference.cams import SCALES
from wsss.inference.device_network import DeviceNetwork
from wsss.inference.saliency_masks import SALIENT
from wsss.inference.score_maps import score_maps
from wsss.inference.shards import shard_label
from wsss.inference.stacks import Stack, image_stacks, in_order
from wsss.models import C2AM, PoolNet
from wsss.progress import track
from wsss.store.cams import ActivationMaps


def c2am_maps(
    model: C2AM,
    index: Index,
    *,
    reverse: bool,
    shard: tuple[int, int] = (0, 1),
    scales: Sequence[float] = SCALES,
    flip: bool = True,
    precision: str = "float32",
    device: str | torch.device = "cpu",
    batch: int = 1,
    workers: int = 0,
    progress: bool = True,
) -> Iterator[ActivationMaps]:
    """C2AM's map of each image of a shard, in the index's order, with labels or without: keys [0, 1].

    reverse: the activation shows the background, see `wsss.store.networks.Header.flip`. The rest, and the
    errors, are those of `wsss.inference.cams.cam_maps`. Published is the mean over the scales, here it is as
    with CAMs their sum: equal, once divided by its maximum.
    """
    part = index.shard(*shard)
    network = C2amNetwork(model, torch.device(device), precision, flip, reverse=reverse)
    batch, workers = network.loading(batch, workers)
    maps = score_maps(
        network, ActivationMaps, part.records, lambda _: [0], scales, batch=batch, workers=workers
    )
    return track(maps, label=shard_label("C2AM maps", index, shard), total=len(part), enabled=progress)


def poolnet_maps(
    model: PoolNet,
    index: Index,
    *,
    shard: tuple[int, int] = (0, 1),
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    precision: str = "float32",
    device: str | torch.device = "cpu",
    batch: int = 1,
    workers: int = 0,
    progress: bool = True,
) -> Iterator[tuple[str, np.ndarray]]:
    """PoolNet's saliency of each image of a shard, in the index's order: id and uint8 (H, W), 255 salient.

    Mean over the scales and, with `flip`, their mirror images. The other arguments, and the errors, are those
    of `wsss.inference.cams.cam_maps`.
    """
    part = index.shard(*shard)
    network = DeviceNetwork(model, torch.device(device), precision)
    batch, workers = network.loading(batch, workers)
    pin = network.device.type == "cuda"
    stacks = image_stacks(part.records, scales, batch=batch, workers=workers, pin=pin)
    found = in_order((stack.positions, _saliency(network, stack, flip)) for stack in stacks)
    named = zip((record.id for record in part), found, strict=True)
    return track(named, label=shard_label("saliency", index, shard), total=len(part), enabled=progress)


@torch.inference_mode()
def _saliency(network: DeviceNetwork, stack: Stack, flip: bool) -> list[np.ndarray]:
    maps = []
    what = f"images {stack.named}"
    for pixels in stack.pixels:
        for logits in network.flipped_maps(network.normalize(pixels), what, flip=flip):
            saliency = logits.sigmoid()
            maps.append(interpolate(saliency, stack.sizes[0], mode="bilinear", align_corners=False))
    mean = torch.cat(maps, dim=1).mean(dim=1)
    network.require_finite(mean, what, "saliency")
    return list((SALIENT * mean).round().byte().cpu().numpy())
