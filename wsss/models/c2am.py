"""C2AM: separates foreground from background without classes, by contrast (Xie et al. 2022).

An activation map weights the features of the last two stages into a foreground and a background
representation; the losses attract representations of one kind and repel those of different kinds.
"""

import torch
from torch import Tensor, nn

from wsss.models.backbone import Backbone, FreezeLevel
from wsss.models.network import Network, initialize_head
from wsss.models.norm import NormMode


class C2AM(Network):
    """Class-agnostic activation maps. The arguments are those of `Backbone` and `load_backbone_weights`."""

    def __init__(
        self,
        backbone: str,
        *,
        output_stride: int = 16,
        norm: NormMode = "normal",
        weights: str | None = None,
        freeze: FreezeLevel = "none",
    ) -> None:
        super().__init__(Backbone(backbone, output_stride=output_stride, norm=norm, freeze=freeze), weights)
        channels = sum(self.backbone.channels[-2:])
        self.activation = nn.Sequential(
            nn.Conv2d(channels, 1, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(1),
        )
        initialize_head(self.activation)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of a normalized image batch (B, 3, H, W): foreground (B, D), background (B, D), activation.

        The activation (B, 1, h, w) is a raw map: its sigmoid P is the weight of the foreground, 1 - P that of
        the background. Representations are means over all pixels of the weighted features, not weighted
        means (Xie et al. 2022, equations 1 and 2). D is the width of the last two stages together.
        """
        *_, third, fourth = self.backbone(x)
        if third.shape[-2:] != fourth.shape[-2:]:  # output stride 32
            third = nn.functional.interpolate(third, fourth.shape[-2:], mode="bilinear", align_corners=False)
        features = torch.cat([fourth, third], dim=1)
        activation = self.activation(features)
        weight = activation.sigmoid().flatten(2)  # (B, 1, h·w)
        pixels = features.flatten(2)
        foreground = (weight * pixels).mean(dim=2)
        background = ((1 - weight) * pixels).mean(dim=2)
        return foreground, background, activation
