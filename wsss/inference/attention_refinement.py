"""Class-aware attention affinity: CAMs spread along a transformer's attention (CLIP-ES).

Lin et al., "CLIP is also an efficient segmenter", CVPR 2023, section 3.3. Attention between patches, balanced
and symmetric, says which patches belong together; boxes around a class's CAM say which of them may pass
evidence on. Works with the attention of any transformer and the CAM of any method.
"""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from wsss.errors import UserError

EPSILON = 1e-7


def min_max(maps: Tensor) -> Tensor:
    """Each map of (K, h, w) brought to 0..1; a map without contrast becomes 0.

    1e-7 is added to the maximum alone, as published, so that the largest value is 0.9999999.
    """
    shifted = maps - maps.amin((-2, -1), keepdim=True)
    return shifted / (EPSILON + shifted.amax((-2, -1), keepdim=True))


def box_mask(cam: np.ndarray, *, threshold: float = 0.4) -> np.ndarray:
    """The union of the boxes around each class's strong patches: (K, h, w) bool.

    cam: (K, h, w) in 0..1. A box bounds an 8-connected component of the values above `threshold` times the
    maximum, both cut off to bytes. As published, boxes end before the last row and column, which so lie in
    none. A map of zeros has no box.
    """
    height, width = cam.shape[1:]
    gray = (255 * cam).astype(np.uint8)
    boxes = np.zeros(cam.shape, bool)
    for channel, box in zip(gray, boxes, strict=True):
        components, _ = ndimage.label(channel > int(threshold * channel.max()), np.ones((3, 3)))
        for rows, columns in ndimage.find_objects(components):
            box[rows.start : min(rows.stop, height - 1), columns.start : min(columns.stop, width - 1)] = True
    return boxes


def refine(attention: Tensor, boxes: Tensor, cam: Tensor, *, balancing: int = 3) -> Tensor:
    """CAMs spread by two steps along the attention, starting in their boxes: (K, h, w), not normalized.

    attention: (N, N), rows sum to about 1, N = h·w; boxes: (K, h, w) bool; cam: (K, h, w) >= 0. The affinity
    S is the attention with columns, then rows brought to sum 1, `balancing` times, averaged with its
    transpose; the result is S·S·(boxes·cam).
    Neither S nor S·S is ever formed: balancing scales by two vectors, and a product with the few columns that
    some box lets through, then one with K maps, replace a product of N x N matrices.
    """
    count = cam[0].numel() if len(cam) else 0
    if boxes.shape != cam.shape or (len(cam) and attention.shape != (count, count)):
        raise UserError(
            f"attention refinement: attention {tuple(attention.shape)}, boxes {tuple(boxes.shape)} and cam "
            f"{tuple(cam.shape)}: (h·w, h·w), (K, h, w) and (K, h, w) are needed"
        )
    if not len(cam):
        return cam
    rows, columns = _balance(attention, balancing)
    evidence = (boxes * cam).flatten(1).T
    allowed = boxes.flatten(1).any(0).nonzero()[:, 0]
    few = evidence[allowed]
    # S v = (R A C v + C Aᵀ R v) / 2, with v zero outside of `allowed`
    forward = rows * (attention[:, allowed] @ (columns[allowed] * few))
    backward = columns * (attention[allowed].T @ (rows[allowed] * few))
    once = (forward + backward) / 2
    twice = (rows * (attention @ (columns * once)) + columns * (attention.T @ (rows * once))) / 2
    return twice.T.reshape(cam.shape)


def _balance(attention: Tensor, times: int) -> tuple[Tensor, Tensor]:
    """Factors (N, 1) of the rows and columns with which the attention's sums are 1 (Sinkhorn)."""
    rows = columns = torch.ones_like(attention[:, :1])
    for _ in range(times):
        columns = 1 / (attention.T @ rows)
        rows = 1 / (attention @ columns)
    return rows, columns
