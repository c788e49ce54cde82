"""Segmentation networks: their base, and the smallest one, a linear layer on frozen features."""

from torch import Tensor, nn
from torch.nn.functional import interpolate

from wsss.models.backbone import Backbone
from wsss.models.network import Network, initialize_head


class Segmenter(Network):
    """A network that gives logits (B, C, H, W), background included, of images (B, 3, H, W)."""


class LinearSegmenter(Segmenter):
    """A 1x1 convolution on the last feature of a frozen backbone.

    For backbones with strong features (DINOv2: Oquab et al., 2024, section 7.4), which training on few or
    noisy labels would degrade. num_classes: background included. The other arguments are those of `Backbone`
    and `load_backbone_weights`.
    """

    def __init__(
        self, backbone: str, num_classes: int, *, output_stride: int = 16, weights: str | None = None
    ) -> None:
        trunk = Backbone(
            backbone, output_stride=output_stride, norm="fix", freeze="all", classifier_features=True
        )
        super().__init__(trunk, weights)
        self.classifier = nn.Sequential(nn.Dropout(0.1), nn.Conv2d(trunk.channels[-1], num_classes, 1))
        initialize_head(self.classifier)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, C, H, W) of a normalized image batch (B, 3, H, W), resized bilinearly."""
        logits = self.classifier(self.backbone(x)[-1])
        stride = self.backbone.strides[-1]
        whole = interpolate(logits, scale_factor=stride, mode="bilinear", align_corners=False)
        return whole[..., : x.shape[-2], : x.shape[-1]]
