"""Outputs of our networks under the names of the golden files."""

import torch
from torch import Tensor, nn

from wsss.models import C2AM, AffinityNet, Classifier, DeepLabV3Plus

#: relative to the largest value, as between two builds of the published code
TOLERANCE = 1e-4


@torch.inference_mode()
def outputs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """The outputs of a network under the names of the golden files."""
    if isinstance(model, Classifier):
        logits, cam = model.forward_cam(x)
        return {"logits": logits, "cam": cam, "logits_plain": model(x)}
    if isinstance(model, C2AM):
        return dict(zip(("foreground", "background", "ccam"), model(x), strict=True))
    if isinstance(model, AffinityNet):
        return {"edge": model(x)}
    return {"logits": model(x)[..., ::4, ::4] if isinstance(model, DeepLabV3Plus) else model(x)}
