"""The classification loss of all priors, and label smoothing."""

import torch.nn.functional as F
from torch import Tensor


def smooth_labels(labels: Tensor, smoothing: float) -> Tensor:
    """Label smoothing of multi-hot labels: `(1 - a)·y + a/2`.

    labels: (B, C) in [0, 1]. smoothing: a in [0, 1); 0.1 turns 0 and 1 into 0.05 and 0.95.
    """
    return labels * (1.0 - smoothing) + smoothing / 2.0


def classification_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Multi-label soft margin: binary cross-entropy averaged over the classes, then over the batch.

    logits: (B, C), any real. labels: (B, C) in [0, 1], soft targets allowed. Returns a scalar ≥ 0.
    """
    return F.binary_cross_entropy_with_logits(logits, labels)
