"""The contrastive losses of C2AM, and the loss of the hints from CAMs.

Xie, Xiang, Chen et al., "C2AM: contrastive learning of class-agnostic activation map for weakly supervised
object localization and semantic segmentation", CVPR 2022; the hints are P-NOC's (C2AM-H).
"""

import torch
from torch import Tensor
from torch.nn import functional

#: bounds of cosine similarities, whose logarithms and those of the complements are then finite
SIMILARITY_BOUNDS = (0.0005, 0.9995)


def sim_max(features: Tensor, alpha: float = 0.25) -> Tensor:
    """Attract the features of a batch, similar pairs more (C2AM, positive loss with rank weights).

    features: (B, D), foreground or background features of the whole batch, of all processes, as ranks are
    within it. alpha: how fast the weight exp(-alpha·rank) falls with the rank of a partner,
    most similar first. Published ranks begin at -1 with the feature itself, which has no gradient. Mean over
    all pairs, a scalar >= 0; 0 without features.
    """
    if not len(features):
        return features.float().sum()
    similarity = _similarities(features, features)
    position = similarity.detach().argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    weight = torch.exp(-alpha * (position - 1))
    return (-similarity.log() * weight).mean()


def sim_min(background: Tensor, foreground: Tensor) -> Tensor:
    """Repel background features from foreground features (C2AM, negative loss).

    background: (B, D); foreground: (B', D). Mean over all pairs, a scalar >= 0; 0 without features.
    """
    if not len(foreground):
        return foreground.float().sum()
    return -(1 - _similarities(background, foreground)).log().mean()


def c2am_loss(foreground: Tensor, background: Tensor, alpha: float = 0.25) -> Tensor:
    """C2AM's objective, `sim_max` of both kinds and `sim_min` between them, a scalar."""
    return sim_max(foreground, alpha) + sim_min(background, foreground) + sim_max(background, alpha)


def resize_hints(hints: Tensor, size: tuple[int, int]) -> Tensor:
    """Hints (B, 1, H, W) at the size (h, w) of an activation, bicubically as published: may overshoot 1."""
    return functional.interpolate(hints.float(), size, mode="bicubic", align_corners=False)


def hint_loss(activation: Tensor, hints: Tensor, *, fg_threshold: float, label_smoothing: float) -> Tensor:
    """Train the activation to be foreground where a CAM is confident (P-NOC, C2AM-H).

    activation: (B, 1, h, w) logits; hints: (B, 1, H, W), the CAM's maximum over classes in [0, 1], resized to
    (h, w) bicubically. Binary cross-entropy, target 1 - label_smoothing / 2, averaged over the pixels whose
    hint is at least `fg_threshold`; 0, with a gradient of zeros, when there is none. The CAMs give no
    background hints.
    """
    if (
        not activation.ndim == hints.ndim == 4
        or activation.shape[:2] != hints.shape[:2]
        or hints.shape[1] != 1
    ):
        found = f"activation {tuple(activation.shape)} and hints {tuple(hints.shape)}"
        raise ValueError(f"{found}: (B, 1, h, w) and (B, 1, H, W) are needed")
    activation = activation.float()
    if hints.shape[-2:] != activation.shape[-2:]:
        hints = resize_hints(hints, (activation.shape[-2], activation.shape[-1]))
    confident = (hints >= fg_threshold).to(activation.dtype)
    target = torch.full_like(activation, 1 - label_smoothing / 2)
    each = functional.binary_cross_entropy_with_logits(activation, target, reduction="none")
    return (each * confident).sum() / confident.sum().clamp(min=1)


def empty_loss(activation: Tensor, empty: Tensor) -> Tensor:
    """Tell the saliency map that images without an object are background everywhere.

    activation: (B, 1, h, w) logits; empty: (B,) bool. Binary cross-entropy with target 0, averaged over the
    pixels of these images; 0, with a gradient of zeros, when there are none.
    """
    each = functional.softplus(activation.float()).mean(dim=(1, 2, 3))
    weight = empty.to(each.dtype)
    return (each * weight).sum() / weight.sum().clamp(min=1)


def _similarities(left: Tensor, right: Tensor) -> Tensor:
    """Cosine of every pair (B, B) within SIMILARITY_BOUNDS; never in half precision, as logarithms follow."""
    with torch.autocast(left.device.type, enabled=False):
        if left.dtype != torch.double:
            left, right = left.float(), right.float()
        cosine = functional.normalize(left, dim=1) @ functional.normalize(right, dim=1).T
        return cosine.clamp(*SIMILARITY_BOUNDS)
