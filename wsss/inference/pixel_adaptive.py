"""Pixel-adaptive refinement: masks drawn to edges by repeated averages over neighbors of similar color.

A fast alternative to the dense CRF, on CPU and GPU. PAMR: Araslanov and Roth, "Single-stage semantic
segmentation from image labels", CVPR 2020. PAR: Ru et al., "Learning affinity from attention", CVPR 2022.
Both average over the eight neighbors at several distances, and differ in how color becomes weight.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from wsss.errors import UserError

DILATIONS = (1, 2, 4, 8, 12, 24)
_STEPS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_EPSILON = 1e-8

Array = TypeVar("Array", np.ndarray, Tensor)


def pamr(
    image: np.ndarray | Tensor, masks: Array, *, iterations: int = 10, dilations: Sequence[int] = DILATIONS
) -> Array:
    """Masks after `iterations` averages with the weights of PAMR.

    image: (H, W, 3) uint8, RGB. masks: (K, H, W) scores of any range, or smaller (they are resized first,
    bilinearly, corners aligned). dilations: distances of the neighbors in pixels; beyond the border the
    outermost pixels repeat. Weights are softmax over neighbors n of the mean over colors of
    -|x_n - x| / (0.1 σ), σ the deviation of the neighborhood with the center in every window; a pixel itself
    has no weight.
    Returns (K, H, W) float32, of the kind and on the device of `masks`; no value lies outside the range it
    began with. Raises UserError for arrays of other shapes.
    """
    return _refined(image, masks, iterations, dilations, _pamr_weights)


def par(
    image: np.ndarray | Tensor, masks: Array, *, iterations: int = 10, dilations: Sequence[int] = DILATIONS
) -> Array:
    """Masks after `iterations` averages with the weights of PAR; arguments and result as in `pamr`.

    Weights are softmax of -(|x_n - x| / (0.3 σ))², σ without the center, plus 0.01 times the softmax of
    -(d_n / (0.3 σ_d))² of the distances. They sum to 1.01, so that masks grow by 1 % an iteration: compare
    classes, or divide by 1.01^iterations.
    """
    return _refined(image, masks, iterations, dilations, _par_weights)


def _refined(
    image: np.ndarray | Tensor,
    masks: Array,
    iterations: int,
    dilations: Sequence[int],
    weights_of: Callable[[Tensor, Sequence[int]], Tensor],
) -> Array:
    maps = masks if isinstance(masks, Tensor) else torch.from_numpy(np.require(masks, np.float32, ["C", "W"]))
    pixels = torch.as_tensor(image if isinstance(image, Tensor) else np.require(image, None, ["C", "W"]))
    _check(pixels, maps, iterations, dilations)
    with torch.no_grad(), torch.autocast(maps.device.type, enabled=False):
        maps = maps.float()
        size = (pixels.shape[0], pixels.shape[1])
        if maps.shape[1:] != size:
            maps = interpolate(maps[:, None], size, mode="bilinear", align_corners=True)[:, 0]
        scaled = pixels.to(maps.device).float() / 255
        normalized = (scaled - scaled.new_tensor(_MEAN)) / scaled.new_tensor(_STD)
        weights = weights_of(normalized.permute(2, 0, 1), dilations)
        for _ in range(iterations):
            total = torch.zeros_like(maps)
            for weight, neighbor in zip(weights, _neighbors(maps, dilations), strict=True):
                total.addcmul_(weight, neighbor)
            maps = total
    return maps if isinstance(masks, Tensor) else maps.numpy()


def _neighbors(maps: Tensor, dilations: Sequence[int]) -> Iterator[Tensor]:
    """The maps (K, H, W) as each neighbor sees them, the outermost pixels repeated beyond the border."""
    height, width = maps.shape[1:]
    for dilation in dilations:
        padded = pad(maps[:, None], (dilation,) * 4, mode="replicate")[:, 0]
        for dy, dx in _STEPS:
            top, left = dilation * (1 + dy), dilation * (1 + dx)
            yield padded[:, top : top + height, left : left + width]


def _pamr_weights(image: Tensor, dilations: Sequence[int]) -> Tensor:
    """(N, H, W) for an image (3, H, W)."""
    affinity = image.new_zeros(())
    for color in image.split(1):
        around = torch.cat(list(_neighbors(color, dilations)))
        # every dilation's window holds the center once more
        deviation = torch.cat([around, color.expand(len(dilations), -1, -1)]).std(0)
        affinity = affinity - (around - color).abs_() / (_EPSILON + 0.1 * deviation)
    return (affinity / len(image)).softmax(0)


def _par_weights(image: Tensor, dilations: Sequence[int]) -> Tensor:
    """(N, H, W) for an image (3, H, W)."""
    affinity = image.new_zeros(())
    for color in image.split(1):
        around = torch.cat(list(_neighbors(color, dilations)))
        scale = 0.3 * (around.std(0) + _EPSILON)
        affinity = affinity - ((around - color) / scale).square_()
    distance = image.new_tensor([d * math.hypot(*step) for d in dilations for step in _STEPS])
    closeness = -(distance / (0.3 * (distance.std() + _EPSILON))).square()
    return (affinity / len(image)).softmax(0) + 0.01 * closeness.softmax(0)[:, None, None]


def _check(image: Tensor, masks: Tensor, iterations: int, dilations: Sequence[int]) -> None:
    faults = []
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != torch.uint8 or image.numel() == 0:
        faults.append(f"image {tuple(image.shape)} of {image.dtype}: (H, W, 3) of uint8 is needed")
    if masks.ndim != 3 or 0 in masks.shape[1:]:
        faults.append(f"masks {tuple(masks.shape)}: (K, H, W) is needed")
    if iterations < 0:
        faults.append(f"iterations {iterations}: 0 or more are needed")
    if not dilations or min(dilations) < 1:
        faults.append(f"dilations {tuple(dilations)}: one or more positive numbers of pixels are needed")
    if faults:
        raise UserError("pixel-adaptive refinement: " + "; ".join(faults))
