"""What all networks have in common: a backbone with weights, and a head that starts from scratch."""

from torch import nn

from wsss.models.backbone import Backbone
from wsss.models.weights import load_backbone_weights, normalization


class Network(nn.Module):
    """A backbone and what stands on it.

    backbone: the trunk, its weights loaded from `weights` (see `weights.py`).
    `normalization` says how images have to come in.
    """

    def __init__(self, backbone: Backbone, weights: str | None) -> None:
        super().__init__()
        load_backbone_weights(backbone, weights)
        self.backbone = backbone
        self.normalization = normalization(backbone.name)

    def head_modules(self) -> list[nn.Module]:
        """The modules trained from scratch; all else is the (pretrained) backbone."""
        return [module for name, module in self.named_children() if name != "backbone"]
