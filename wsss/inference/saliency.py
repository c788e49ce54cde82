"""Saliency of a shard of images: C2AM's maps, the masks that the dense CRF makes of them, PoolNet's maps."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch.nn.functional import interpolate

from wsss.config import SaliencyCrfConfig
from wsss.crf import refine_labels
from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.errors import UserError
from wsss.inference.cam_network import C2amNetwork
from wsss.inference.cams import SCALES
from wsss.inference.device_network import DeviceNetwork
from wsss.inference.score_maps import score_maps
from wsss.inference.shards import shard_label
from wsss.inference.stacks import Stack, image_stacks, in_order
from wsss.models import C2AM, PoolNet
from wsss.progress import track
from wsss.store.cams import ActivationMaps, ActivationShard

#: what is salient, in masks and maps of 8 bits
SALIENT = 255


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


def saliency_masks(
    maps: Mapping[str, ActivationShard],
    index: Index,
    settings: SaliencyCrfConfig,
    *,
    shard: tuple[int, int] = (0, 1),
    progress: bool = True,
) -> Iterator[tuple[str, np.ndarray]]:
    """The mask of each image of a shard, in the index's order: id and uint8 (H, W), 0 or 255.

    maps: C2AM's, by image id. A mask is what exceeds the threshold, refined by the dense CRF. An image
    without labels in a split that has labels shows no object: its mask is empty. One thread computes.

    Raises UserError naming the image whose map has another size or is not finite.
    """
    part = index.shard(*shard)
    known = any(record.labels for record in index)
    masks = (
        (record.id, _mask(record, maps[record.id][record.id], settings, empty=known and not record.labels))
        for record in part
    )
    return track(masks, label=shard_label("CRF", index, shard), total=len(part), enabled=progress)


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


def _mask(record: Record, maps: ActivationMaps, settings: SaliencyCrfConfig, *, empty: bool) -> np.ndarray:
    image = np.asarray(read_image(record.image))
    if maps.size != image.shape[:2]:
        raise UserError(
            f"{record.id}: C2AM map for {maps.size[1]} x {maps.size[0]} pixels, but {record.image} has "
            f"{image.shape[1]} x {image.shape[0]}; make the maps again"
        )
    if empty:
        return np.zeros(maps.size, np.uint8)
    scores = maps.full()
    if not np.isfinite(scores).all():
        raise UserError(f"{record.id}: its C2AM map is not finite; make the maps again")
    salient = scores > np.float32(settings.threshold)
    try:
        refined = refine_labels(image, salient, 2, iterations=settings.iterations, gt_prob=settings.gt_prob)
    except UserError as error:
        raise UserError(f"{record.id}: {error} ({record.image})") from None
    return SALIENT * refined


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
