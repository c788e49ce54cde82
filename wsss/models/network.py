"""The base of all networks: a backbone with weights, and a head that is trained from scratch."""

from torch import nn

from wsss.models.backbone import Backbone
from wsss.models.weights import load_backbone_weights, normalization


class Network(nn.Module):
    """A backbone and a head.

    backbone: its weights are loaded from `weights` (see `weights.py`). `.normalization`: of input images.
    """

    def __init__(self, backbone: Backbone, weights: str | None) -> None:
        super().__init__()
        load_backbone_weights(backbone, weights)
        self.backbone = backbone
        self.normalization = normalization(backbone.name)

    def head_modules(self) -> list[nn.Module]:
        """The modules that are trained from scratch: all but the backbone."""
        return [module for name, module in self.named_children() if name != "backbone"]


def initialize_head(head: nn.Module) -> None:
    """Kaiming-normal convolutions (fan-in; He et al. 2015), norms at weight 1, all biases 0, in place."""
    for part in head.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
        elif isinstance(part, (nn.BatchNorm2d, nn.GroupNorm)):
            nn.init.ones_(part.weight)
        else:
            continue
        if part.bias is not None:
            nn.init.zeros_(part.bias)
