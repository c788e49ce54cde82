"""CAMs that have walked between the edges: AffinityNet looks, the CAMs of a shard spread.

The same code runs on a CPU, an image at a time, and on a GPU, with all images of a stack at once.
"""

import math
from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from wsss.config import WalkConfig
from wsss.data.index import Index
from wsss.errors import UserError
from wsss.inference.device_network import DeviceNetwork
from wsss.inference.random_walks import random_walk
from wsss.inference.stacks import Stack, per_image
from wsss.models import AffinityNet
from wsss.store.cams import ALIGNMENT, CamShard
from wsss.store.walks import SCALE, STRIDE, WalkMaps


class EdgeNetwork(DeviceNetwork):
    """AffinityNet on its device: images as bytes in, edges out.

    side: images are padded on the right and bottom to at least this side. The network is to see what it was
    trained on, and the attention of a ResNeSt reaches over the whole image.
    """

    def __init__(self, model: AffinityNet, device: torch.device, side: int) -> None:
        super().__init__(model, device, "float32")
        self.side = side

    @torch.inference_mode()
    def edges(self, images: Tensor, what: str) -> Tensor:
        """Edges in [0, 1], float32 (B, ⌈h/4⌉, ⌈w/4⌉) on the device, of images (B, h, w, 3) of uint8, RGB.

        The mean logit of the image and its mirror image (IRNet, and P-NOC after it). Raises UserError,
        calling the images `what`, when a single one is too large for a GPU's memory.
        """
        x = self.normalize(images)
        height, width = x.shape[-2:]
        x = torch.cat((x, x.flip(-1)))
        x = functional.pad(x, (0, self._padded(width) - width, 0, self._padded(height) - height))
        logits = self.maps(x, what)[:, 0, : math.ceil(height / STRIDE), : math.ceil(width / STRIDE)]
        straight, mirrored = logits.chunk(2)
        return ((straight + mirrored.flip(-1)) / 2).sigmoid()

    def _padded(self, side: int) -> int:
        return max(self.side, math.ceil(side / ALIGNMENT) * ALIGNMENT)


def walk_maps(
    network: EdgeNetwork,
    index: Index,
    cams: Mapping[str, CamShard],
    settings: WalkConfig,
    *,
    batch: int,
    workers: int,
) -> Iterator[WalkMaps]:
    """The walked CAMs of all images of an index, in its order, at a quarter of the images' resolution.

    cams: by image id, the shard that holds its CAMs. batch, workers: see `per_image`. An image without
    labels has K = 0. Raises UserError naming an image whose CAMs are of another size.
    """
    walked = partial(_walked, network, cams, settings)
    return per_image(network, walked, index.records, [SCALE], batch=batch, workers=workers)


def _walked(
    network: EdgeNetwork, cams: Mapping[str, CamShard], settings: WalkConfig, stack: Stack
) -> list[WalkMaps]:
    given = [cams[record.id][record.id] for record in stack.records]
    for maps, size in zip(given, stack.sizes, strict=True):
        if maps.size != size:
            raise UserError(
                f"{maps.id}: CAMs for {maps.size[1]} x {maps.size[0]} pixels in {cams[maps.id].path}, "
                f"but the image has {size[1]} x {size[0]}; make the CAMs again"
            )
    starts = [torch.from_numpy(maps.strided()) for maps in given]
    most = max(len(start) for start in starts)
    ends = torch.zeros(len(starts), most, *starts[0].shape[1:])
    if most:
        for end, start in zip(ends, starts, strict=True):
            end[: len(start)] = start
        edges = network.edges(stack.pixels[0], f"images {stack.named}")
        ends = random_walk(
            ends.to(network.device),
            edges,
            beta=settings.beta,
            steps=settings.steps,
            radius=settings.radius,
        ).cpu()
    return [
        WalkMaps(maps.id, maps.size, maps.keys, {SCALE: end[: len(start)].numpy()})
        for maps, start, end in zip(given, starts, ends, strict=True)
    ]
