"""AffinityNet: class boundaries, from which pairwise affinities follow (IRNet, Ahn et al. 2019).

A random walk that boundaries stop spreads a CAM over its object. The backbone is pretrained and frozen; five
small branches read its stem and stages.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from wsss.models.backbone import Backbone
from wsss.models.network import Network

_WIDTH = 32
_GROUPS = 4


class AffinityNet(Network):
    """Boundary detector on a frozen backbone with fixed batch normalization.

    backbone, weights, output_stride: as in `Backbone` and `load_backbone_weights`; the published system takes
    ImageNet's weights here, not those of P-NOC. The branches are initialized as by PyTorch.
    """

    def __init__(self, backbone: str, *, output_stride: int = 16, weights: str | None = None) -> None:
        super().__init__(Backbone(backbone, output_stride=output_stride, norm="fix", freeze="all"), weights)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, _WIDTH, kernel_size=1, bias=False), nn.GroupNorm(_GROUPS, _WIDTH))
            for width in self.backbone.channels
        )
        self.edge = nn.Conv2d(_WIDTH * len(self.branches), 1, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Edge logits (B, 1, H/4, W/4), sizes rounded up, of a normalized image batch (B, 3, H, W)."""
        with torch.no_grad():
            taps = self.backbone(x)
        height, width = taps[1].shape[-2:]
        edges = []
        for branch, tap, stride in zip(self.branches, taps, self.backbone.strides, strict=True):
            edge = branch(tap)
            if stride > 4:
                edge = interpolate(edge, scale_factor=stride // 4, mode="bilinear", align_corners=False)
            elif stride < 4:  # the stem of networks without a max-pool behind it
                edge = interpolate(edge, (height, width), mode="bilinear", align_corners=False)
            edges.append(edge.relu()[..., :height, :width])
        return self.edge(torch.cat(edges, dim=1))
