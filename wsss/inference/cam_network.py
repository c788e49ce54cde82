"""Networks that give activation maps, as inference uses them: with mirror images, and positive parts only."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wsss.inference.device_network import DeviceNetwork
from wsss.models import C2AM, Classifier
from wsss.models.network import Network


class MapNetwork(DeviceNetwork):
    """A model on its device: images as bytes in, merged maps of the wanted channels out.

    flip: average with the mirror images. name: of one of its maps, for messages.
    """

    name = "map"

    def __init__(
        self,
        model: Network,
        device: torch.device,
        precision: str,
        flip: bool,
        forward: Callable[[Any, Tensor], Tensor],
    ) -> None:
        super().__init__(model, device, precision, forward)
        self.flip = flip

    @torch.inference_mode()
    def __call__(self, images: Tensor, channels: list[list[int]], what: str) -> list[np.ndarray]:
        """Maps of a stack of images of one size.

        images: uint8 (B, h, w, 3), RGB. channels: per image, those to return. Returns per image
        relu(A(image)) + flip(relu(A(flipped image))), or the first term alone without `flip`, as float32
        (its channels, h', w'). Raises UserError, calling the images `what`, when a single one is too large
        for a GPU's memory, or a map is not finite.
        """
        flipped = [maps.relu() for maps in self.flipped_maps(self.normalize(images), what, flip=self.flip)]
        maps = torch.stack(flipped).sum(0)
        rows = [row for row, wanted in enumerate(channels) for _ in wanted]
        columns = [column for wanted in channels for column in wanted]
        kept = maps[rows, columns]
        self.require_finite(kept, what, f"a {self.name}")
        return np.split(kept.cpu().numpy(), np.cumsum([len(wanted) for wanted in channels])[:-1])


class CamNetwork(MapNetwork):
    """A classifier, whose maps are CAMs, a channel per class."""

    name = "CAM"

    def __init__(self, model: Classifier, device: torch.device, precision: str, flip: bool) -> None:
        super().__init__(model, device, precision, flip, lambda classifier, x: classifier.forward_cam(x)[1])


class C2amNetwork(MapNetwork):
    """C2AM, whose one map is the activation; reverse: its negative (`wsss.store.networks.Header.flip`)."""

    name = "C2AM map"

    def __init__(
        self, model: C2AM, device: torch.device, precision: str, flip: bool, *, reverse: bool
    ) -> None:
        sign = -1 if reverse else 1
        super().__init__(model, device, precision, flip, lambda c2am, x: sign * c2am(x)[2])
