"""PoolNet: salient object detection, which refines the C2AM maps (Liu et al. 2019).

A pyramid pooling of the deepest features guides a top-down pathway; each step pools its features at three
scales before the next one joins. It learns from the thresholded C2AM maps as if they were annotations.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from wsss.models.backbone import Backbone
from wsss.models.network import Network

_PYRAMID = (1, 3, 5)
_POOLS = (2, 4, 8)
#: widths from the finest to the deepest tap: of the taps, and of the guidance for all but the deepest
_LATERAL = (128, 256, 256, 512, 512)
_GUIDANCE = (128, 256, 256, 512)


class PoolNet(Network):
    """Saliency network.

    backbone: by default the published one, Caffe's ResNet-50, whose weights are loaded from a file; any other
    works. Its batch normalization is fixed, as the images come one by one.
    """

    def __init__(
        self,
        backbone: str = "resnet50_caffe",
        *,
        output_stride: int = 16,
        weights: str | None = None,
    ) -> None:
        trunk = Backbone(backbone, output_stride=output_stride, norm="fix", pooled_stem=False)
        super().__init__(trunk, weights)
        channels = self.backbone.channels
        deepest = _LATERAL[-1]
        self.pyramid = PyramidPooling(channels[-1], deepest)
        self.guidance = nn.ModuleList(_conv_relu(deepest, width, 3) for width in reversed(_GUIDANCE))
        self.lateral = nn.ModuleList(
            _conv_relu(ins, outs, 1) for ins, outs in zip(channels, _LATERAL, strict=True)
        )
        inward = tuple(reversed(_LATERAL))
        outward = (*inward[1:], inward[-1])
        self.top_down = nn.ModuleList(
            PooledStep(ins, outs, joins=step < len(inward) - 1)
            for step, (ins, outs) in enumerate(zip(inward, outward, strict=True))
        )
        self.score = nn.Conv2d(outward[-1], 1, kernel_size=1)
        for name, module in self.named_children():
            if name != "backbone":
                _initialize(module, self.backbone.layout)

    def forward(self, x: Tensor) -> Tensor:
        """Saliency logits (B, 1, H, W) of a normalized image batch (B, 3, H, W)."""
        taps = self.backbone(x)
        pyramid = self.pyramid(taps[-1])
        guidance = [
            conv(_resize(pyramid, tap)) for conv, tap in zip(self.guidance, reversed(taps[:-1]), strict=True)
        ]
        inward = [conv(tap) for conv, tap in zip(self.lateral, taps, strict=True)][::-1]
        merged = inward[0]
        for step, tap, guide in zip(self.top_down[:-1], inward[1:], guidance, strict=True):
            merged = step(merged, tap, guide)
        return _resize(self.score(self.top_down[-1](merged)), x)


class PyramidPooling(nn.Module):
    """Features (B, channels, h, w) beside their means over 1, 3x3 and 5x5 cells: (B, width, h, w)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, width, kernel_size=1, bias=False)
        self.scales = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(cells), *_conv_relu(width, width, 1)) for cells in _PYRAMID
        )
        self.merge = _conv_relu(width * (len(_PYRAMID) + 1), width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.reduce(x)
        return self.merge(torch.cat([x, *(_resize(scale(x), x) for scale in self.scales)], dim=1))


class PooledStep(nn.Module):
    """A step towards finer features: averages over three scales, and the sum with the next feature."""

    def __init__(self, channels: int, width: int, *, joins: bool) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_conv(channels, channels, 3) for _ in _POOLS)
        self.out = _conv(channels, width, 3)
        self.fuse = _conv(width, width, 3) if joins else None

    def forward(self, x: Tensor, tap: Tensor | None = None, guide: Tensor | None = None) -> Tensor:
        """x (B, channels, h, w), tap and guide (B, width, h', w') -> (B, width, h', w')."""
        pooled = x
        for pool, conv in zip(_POOLS, self.scales, strict=True):
            pool = min(pool, *x.shape[-2:])  # images below some 112 pixels, which the published one refuses
            pooled = pooled + _resize(conv(avg_pool2d(x, pool)), x)
        pooled = pooled.relu()
        if self.fuse is None or tap is None or guide is None:
            return self.out(pooled)
        return self.fuse(self.out(_resize(pooled, tap)) + tap + guide)


def _conv(channels: int, width: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=False)


def _conv_relu(channels: int, width: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(_conv(channels, width, kernel), nn.ReLU(inplace=True))


def _resize(x: Tensor, like: Tensor) -> Tensor:
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return interpolate(x, like.shape[-2:], mode="bilinear", align_corners=True)


def _initialize(head: nn.Module, layout: torch.memory_format) -> None:
    """Convolutions from N(0, 0.01²), as published; in memory as the backbone's features come."""
    for part in head.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.normal_(part.weight, std=0.01)
            # An eighth faster in training and a fourth in inference than a conversion in every call.
            part.weight.data = part.weight.data.contiguous(memory_format=layout)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
