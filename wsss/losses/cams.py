"""Normalization of CAMs, and the entropy of class probabilities."""

import torch
import torch.nn.functional as F
from torch import Tensor

#: keeps divisions and logarithms defined; the published constant
EPSILON = 1e-5


def normalize_cam(maps: Tensor) -> Tensor:
    """The positive part of each map divided by its maximum: (B, C, h, w) → (B, C, h, w) in [0, 1)."""
    evidence = F.relu(maps)
    return evidence / (torch.amax(evidence, dim=(-2, -1), keepdim=True) + EPSILON)


def entropy_loss(logits: Tensor) -> Tensor:
    """Shannon entropy of the class probabilities: (B, C) → scalar; low where all are near 0 or 1.

    The optional `confidence` term of the Puzzle-CAM code.
    """
    p = torch.sigmoid(logits)
    return -(p * torch.log(p + EPSILON)).sum(dim=1).mean()
