"""DeepLabV3+: the segmentation model that learns from the pseudo labels (Chen et al. 2018)."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from wsss.errors import UserError
from wsss.models.backbone import Backbone, FreezeLevel
from wsss.models.network import initialize_head
from wsss.models.norm import NormMode
from wsss.models.segmenter import Segmenter

HeadNorm = Literal["group", "batch"]

_WIDTH = 256
_LOW_WIDTH = 48
_RATES = (1, 6, 12, 18)  # of output stride 16, and kept for others as the published system does


class DeepLabV3Plus(Segmenter):
    """Atrous spatial pyramid pooling on the last stage, refined with the first.

    num_classes: background included. norm: the head's normalization, in groups of channels (4 groups) or over
    the batch. backbone_norm, output_stride, weights and freeze are those of `Backbone` (its `norm` is called
    backbone_norm here) and `load_backbone_weights`.
    """

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        *,
        norm: HeadNorm = "group",
        backbone_norm: NormMode = "normal",
        output_stride: int = 16,
        weights: str | None = None,
        freeze: FreezeLevel = "none",
    ) -> None:
        if norm not in _NORMS:
            raise UserError(f"DeepLabV3Plus: norm {norm!r}, allowed are {', '.join(_NORMS)}")
        make_norm = _NORMS[norm]
        trunk = Backbone(backbone, output_stride=output_stride, norm=backbone_norm, freeze=freeze)
        super().__init__(trunk, weights)
        self.aspp = ASPP(self.backbone.channels[-1], make_norm)
        self.decoder = Decoder(self.backbone.channels[1], num_classes, make_norm)
        initialize_head(self.aspp)
        initialize_head(self.decoder)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, C, H, W) of a normalized image batch (B, 3, H, W)."""
        _, first, *_, last = self.backbone(x)
        return _resize(self.decoder(first, self.aspp(last)), x)


class ASPP(nn.Module):
    """Features seen with several dilations, and their mean over the image: (B, channels, h, w) -> 256."""

    def __init__(self, channels: int, make_norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            _conv(channels, _WIDTH, make_norm, kernel=1 if rate == 1 else 3, rate=rate) for rate in _RATES
        )
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), *_conv(channels, _WIDTH, make_norm))
        self.merge = nn.Sequential(*_conv(_WIDTH * (len(_RATES) + 1), _WIDTH, make_norm), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        seen = [branch(x) for branch in self.branches]
        return self.merge(torch.cat([*seen, _resize(self.pooled(x), x)], dim=1))


class Decoder(nn.Module):
    """Joins the pyramid's output (B, 256, h, w) with fine features (B, channels, H/4, W/4); logits there."""

    def __init__(self, channels: int, num_classes: int, make_norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.low = _conv(channels, _LOW_WIDTH, make_norm)
        self.classifier = nn.Sequential(
            *_conv(_LOW_WIDTH + _WIDTH, _WIDTH, make_norm, kernel=3),
            nn.Dropout(0.5),
            *_conv(_WIDTH, _WIDTH, make_norm, kernel=3),
            nn.Dropout(0.1),
            nn.Conv2d(_WIDTH, num_classes, kernel_size=1),
        )

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        fine = self.low(fine)
        return self.classifier(torch.cat([_resize(coarse, fine), fine], dim=1))


def _conv(
    channels: int, width: int, make_norm: Callable[[int], nn.Module], *, kernel: int = 1, rate: int = 1
) -> nn.Sequential:
    conv = nn.Conv2d(channels, width, kernel, padding=rate * (kernel // 2), dilation=rate, bias=False)
    return nn.Sequential(conv, make_norm(width), nn.ReLU(inplace=True))


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return interpolate(x, like.shape[-2:], mode="bilinear", align_corners=True)


_NORMS: dict[HeadNorm, Callable[[int], nn.Module]] = {
    "group": partial(nn.GroupNorm, 4),
    "batch": nn.BatchNorm2d,
}
