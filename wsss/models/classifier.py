"""The CAM network: image-level classifier whose class activation maps are its own last layer's output.

With a 1x1 convolution as the classifier, the mean of its map over the image is the logit, and the map itself
the CAM (Zhou et al. 2016). Ordinary classifier, generator and adversary of P-NOC all have this form.
"""

from torch import Tensor, nn

from wsss.models.backbone import Backbone, FreezeLevel
from wsss.models.network import Network, initialize_head
from wsss.models.norm import NormMode


class Classifier(Network):
    """Multi-label classifier with class activation maps.

    num_classes: foreground classes C; channel c of a CAM is mask value c + 1.
    The other arguments are those of `Backbone` and `load_backbone_weights`.
    """

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        *,
        output_stride: int = 16,
        norm: NormMode = "normal",
        weights: str | None = None,
        freeze: FreezeLevel = "none",
    ) -> None:
        trunk = Backbone(
            backbone, output_stride=output_stride, norm=norm, freeze=freeze, classifier_features=True
        )
        super().__init__(trunk, weights)
        self.classifier = nn.Conv2d(self.backbone.channels[-1], num_classes, kernel_size=1, bias=False)
        initialize_head(self.classifier)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, C) of a normalized image batch (B, 3, H, W)."""
        features = self.backbone(x)[-1].mean(dim=(2, 3), keepdim=True)
        return self.classifier(features).flatten(1)

    def forward_cam(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and signed class activation maps (B, C, H/stride, W/stride), no ReLU inside.

        The logits are the means of the maps, and equal `forward`'s up to rounding.
        """
        cam = self.classifier(self.backbone(x)[-1])
        return cam.mean(dim=(2, 3)), cam
