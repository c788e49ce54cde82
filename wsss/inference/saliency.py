"""Saliency of images from networks: C2AM's maps, PoolNet's maps."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.nn.functional import interpolate

from wsss.data.index import Index
from wsss.inference.cam_network import C2amNetwork
from wsss.inference.device_network import DeviceNetwork
from wsss.inference.saliency_masks import SALIENT
from wsss.inference.score_maps import score_maps
from wsss.inference.stacks import Stack, per_image
from wsss.store.cams import ActivationMaps


def c2am_maps(
    network: C2amNetwork, index: Index, scales: Sequence[float], *, batch: int = 1, workers: int = 0
) -> Iterator[ActivationMaps]:
    """C2AM's map of each image of an index, in its order, with labels or without: keys [0, 1].

    batch, workers, and the errors: as `wsss.inference.cams.cam_maps`. Published is the mean over the scales;
    here it is, as with CAMs, their sum: equal once it is divided by its maximum.
    """
    records = index.records
    return score_maps(network, ActivationMaps, records, lambda _: [0], scales, batch=batch, workers=workers)


def poolnet_maps(
    network: DeviceNetwork,
    index: Index,
    scales: Sequence[float] = (1.0,),
    *,
    flip: bool = False,
    batch: int = 1,
    workers: int = 0,
) -> Iterator[tuple[str, np.ndarray]]:
    """PoolNet's saliency of each image of an index, in its order: id and uint8 (H, W), 255 salient.

    Mean over the scales and, with `flip`, their mirror images. batch, workers, and the errors: as
    `wsss.inference.cams.cam_maps`.
    """

    def saliency(stack: Stack) -> list[tuple[str, np.ndarray]]:
        salient = stack_saliency(network, stack, flip)
        return [(record.id, values) for record, values in zip(stack.records, salient, strict=True)]

    return per_image(network, saliency, index.records, scales, batch=batch, workers=workers)


@torch.inference_mode()
def stack_saliency(network: DeviceNetwork, stack: Stack, flip: bool) -> np.ndarray:
    """PoolNet's saliency of the images of a stack: uint8 (B, H, W), 255 salient. flip: see `poolnet_maps`."""
    maps, what = [], f"images {stack.named}"
    for pixels in stack.pixels:
        for logits in network.flipped_maps(network.normalize(pixels), what, flip=flip):
            size = stack.sizes[0]
            maps.append(interpolate(logits.sigmoid(), size, mode="bilinear", align_corners=False))
    mean = torch.cat(maps, dim=1).mean(dim=1)
    network.require_finite(mean, what, "saliency")
    salient: np.ndarray = (SALIENT * mean).round().byte().cpu().numpy()
    return salient
