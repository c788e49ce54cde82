"""From signed class maps to what the field calls a CAM, and how sure the maps of the pieces are."""

import torch
import torch.nn.functional as F
from torch import Tensor

#: keeps divisions and logarithms defined; the published constant
EPSILON = 1e-5


def normalize_cam(maps: Tensor) -> Tensor:
    """Positive evidence relative to the map's own peak: (B, C, h, w) → (B, C, h, w) in [0, 1)."""
    evidence = F.relu(maps)
    return evidence / (torch.amax(evidence, dim=(-2, -1), keepdim=True) + EPSILON)


def entropy_loss(logits: Tensor) -> Tensor:
    """Shannon entropy of the class probabilities: (B, C) → scalar; low where every class is decided.

    The optional `confidence` term of the Puzzle-CAM code.
    """
    p = torch.sigmoid(logits)
    return -(p * torch.log(p + EPSILON)).sum(dim=1).mean()
