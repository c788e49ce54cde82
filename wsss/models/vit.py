"""Vision transformers as backbones: plain ViTs of timm with the features of a convolutional network.

CLIP, DINOv2, DINOv3, SigLIP, DeiT, MAE and their like have features of one resolution, that of their patches.
Blocks at a quarter, half, three quarters and the end of the depth are tapped, normalized by the tower's last
normalization and resized to the strides of four stages, so that the other networks here work with
transformers, too (as in Li et al., "Exploring plain vision transformer backbones for object detection", ECCV
2022, but without parameters: a frozen tower is as good as a trained one).
"""

import math
from typing import Any

import timm
from timm.models import FeatureInfo, is_model_in_modules
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

#: modules of timm whose models are plain ViTs
MODULES = ("vision_transformer", "deit", "eva")
#: prefix of the tower's tensors in a `VisionTower`
TOWER = "vit."


def is_vision_transformer(name: str) -> bool:
    """Whether timm's network of this name, which may have a tag, is a plain ViT."""
    return is_model_in_modules(name, MODULES)


class VisionTower(nn.Module):
    """A plain ViT in the form of timm's feature networks.

    name: of timm. output_stride: 8, 16 or 32; one patch covers so many pixels: where the tower's patches have
    another side (14 of DINOv2), images are resized by the ratio of the two, so that features and images stay
    aligned. Images of any size are padded on the right and bottom to whole patches by repeating their
    outermost pixels, and position embeddings are interpolated.
    """

    def __init__(self, name: str, output_stride: int, *, pretrained: bool = False) -> None:
        super().__init__()
        self.vit: Any = timm.create_model(name, pretrained=pretrained, num_classes=0, dynamic_img_size=True)
        self.vit.attn_pool = None  # belongs to the classifier
        self.patch: int = self.vit.patch_embed.patch_size[0]
        self.output_stride = output_stride
        depth = len(self.vit.blocks)
        self.depths = [max(0, round(depth * quarter / 4) - 1) for quarter in (1, 2, 3, 4)]
        children = [child for child, _ in self.vit.named_children()]
        stem = children[children.index("blocks") - 1]
        strides = [min(stride, output_stride) for stride in (4, 4, 8, 16, 32)]
        modules = [stem, *(f"blocks.{depth}" for depth in self.depths)]
        self.feature_info = FeatureInfo(
            [
                {"num_chs": self.vit.embed_dim, "reduction": stride, "module": TOWER + module}
                for stride, module in zip(strides, modules, strict=True)
            ],
            out_indices=(0, 1, 2, 3, 4),
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features (B, D, ⌈H/stride⌉, ⌈W/stride⌉) of images (B, 3, H, W): a stem and four stages.

        The stem's is the first stage's.
        """
        height, width = x.shape[-2:]
        x = self.whole_patches(x)
        grid = (x.shape[-2] // self.patch, x.shape[-1] // self.patch)
        tapped = self.vit.forward_intermediates(
            x, indices=self.depths, output_fmt="NLC", intermediates_only=True
        )
        features = []
        for tokens, stride in zip(tapped, self.feature_info.reduction()[1:], strict=True):
            feature = self._normalized(tokens).mT.unflatten(2, grid)
            factor = self.output_stride // stride
            if factor > 1:
                feature = interpolate(feature, scale_factor=factor, mode="bilinear", align_corners=False)
            features.append(feature[..., : math.ceil(height / stride), : math.ceil(width / stride)])
        return [features[0], *features]

    def whole_patches(self, x: Tensor) -> Tensor:
        """Images (B, 3, H, W) as the tower sees them: whole patches, one for each output stride."""
        stride = self.output_stride
        x = pad(x, (0, -x.shape[-1] % stride, 0, -x.shape[-2] % stride), mode="replicate")
        if self.patch == stride:
            return x
        size = [side // stride * self.patch for side in x.shape[-2:]]
        return interpolate(x, size, mode="bilinear", align_corners=False, antialias=self.patch < stride)

    def _normalized(self, tokens: Tensor) -> Tensor:
        """Towers whose classifier pools before it normalizes have their normalization there."""
        norm = self.vit.fc_norm if isinstance(self.vit.norm, nn.Identity) else self.vit.norm
        normalized: Tensor = norm(tokens)
        return normalized
