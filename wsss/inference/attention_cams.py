"""CAMs of a classifier on a vision transformer, refined along its own attention."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wsss.errors import UserError
from wsss.inference.attention_refinement import box_mask, min_max, refine
from wsss.inference.cam_network import CamNetwork
from wsss.inference.device_network import DeviceNetwork
from wsss.models import Classifier
from wsss.models.attention import attention_weights
from wsss.models.vit import is_vision_transformer

#: the last blocks whose attention is averaged, as CLIP-ES does
LAYERS = 8


class AttentionCamNetwork(CamNetwork):
    """As `CamNetwork`, with the class-aware attention refinement of CLIP-ES.

    Raises UserError for a classifier whose backbone is no vision transformer.
    """

    def __init__(self, model: Classifier, device: torch.device, precision: str, flip: bool) -> None:
        require_attention(model.backbone.name, "attention")
        DeviceNetwork.__init__(self, model, device, precision, cams_and_attention)
        self.flip = flip

    @torch.inference_mode()
    def __call__(self, images: Tensor, channels: list[list[int]], what: str) -> list[np.ndarray]:
        """Maps of a stack of images of one size, in 0..1, or 0..2 with `flip`; see `MapNetwork.__call__`."""
        x = self.normalize(images)
        total = self._refined(x, channels, what)
        if self.flip:
            mirrored = self._refined(x.flip(-1), channels, what)
            total = [maps + other[..., ::-1] for maps, other in zip(total, mirrored, strict=True)]
        return total

    def _refined(self, x: Tensor, channels: list[list[int]], what: str) -> list[np.ndarray]:
        maps = self.maps(x, what)
        self.require_finite(maps, what, f"a {self.name}")
        count = maps.shape[1] - maps.shape[2] * maps.shape[3]
        found = []
        for image, classes in zip(maps, channels, strict=True):
            cam = min_max(image[classes].relu())
            boxes = torch.from_numpy(box_mask(cam.cpu().numpy())).to(cam.device)
            found.append(min_max(refine(image[count:].flatten(1), boxes, cam)).cpu().numpy())
        return found


def require_attention(backbone: str, refine: str) -> None:
    """Raise UserError where `cams.refine` asks for what a backbone does not have."""
    if refine == "attention" and not is_vision_transformer(backbone):
        raise UserError(
            f"cams.refine attention: backbone {backbone!r} has no attention; choose a vision transformer, "
            "such as vit_small_patch14_dinov2, or cams.refine none"
        )


def cams_and_attention(model: Any, x: Tensor) -> Tensor:
    """CAMs (B, C, h, w) and, behind them as h·w channels, the attention of each patch to all others."""
    tower = model.backbone.net.vit
    with attention_weights(list(tower.blocks)[-LAYERS:], tower.num_prefix_tokens) as weights:
        cam = model.forward_cam(x)[1]
    attention = torch.stack(weights).mean(0)
    return torch.cat([cam, attention.unflatten(2, cam.shape[-2:])], dim=1)


#: by value of `cams.refine`
CAM_NETWORKS: dict[str, type[CamNetwork]] = {"none": CamNetwork, "attention": AttentionCamNetwork}
