"""Adversarial erasing: a class is erased from the image by its CAM, and a classifier sees the rest.

The soft mask keeps a gradient from the erased image back to the maps (Kweon et al., Unlocking the potential
of ordinary classifier: class-specific adversarial erasing for weakly supervised semantic segmentation,
ICCV 2021). The hard mask makes the input of the not-so-ordinary classifier of P-NOC (David et al., 2024).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

#: avoids a division by zero; the published constant
EPSILON = 1e-5


def maps_of_class(cams: Tensor, chosen: Tensor) -> Tensor:
    """One map per image: cams (B, C, h, w), chosen (B,) int64 channels → (B, 1, h, w)."""
    index = chosen.view(-1, 1, 1, 1).expand(-1, 1, *cams.shape[-2:])
    return cams.gather(1, index)


def evidence_of(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """The positive evidence at image size, ReLU before upsampling: (B, 1, h, w) → (B, 1, H, W) ≥ 0."""
    return F.interpolate(F.relu(maps), size, mode="bilinear", align_corners=False)


def erase_soft(images: Tensor, evidence: Tensor, peak: Tensor | None = None) -> Tensor:
    """Soft erasing: `x · (1 - evidence / peak)`.

    images: (B, 3, H, W) normalized (0 is the mean color); evidence: (B, 1, H, W) ≥ 0, see `evidence_of`.
    peak: evidence that is erased completely; by default the maximum of the batch, as in OC-CSE.
    `evidence.amax((1, 2, 3), True)` takes each image's own. Gradients reach evidence and peak.
    """
    if peak is None:
        peak = evidence.max()
    return images * (1.0 - evidence / (peak + EPSILON))


def erase_hard(images: Tensor, evidence: Tensor, threshold: float) -> Tensor:
    """Hard erasing: pixels whose evidence, divided by the image's maximum, exceeds the threshold become 0.

    images: (B, 3, H, W); evidence: (B, 1, H, W) ≥ 0; threshold: δ_noc in (0, 1), published 0.2. No gradient
    reaches the evidence.
    """
    evidence = evidence.detach()
    relative = evidence / (torch.amax(evidence, dim=(1, 2, 3), keepdim=True) + EPSILON)
    return images * (relative <= threshold).to(images.dtype)
