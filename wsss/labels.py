"""Label maps from score maps: what the affinity stage and the segmentation stage learn from.

Scores are of the classes that the image is known to hold; `keys` says which. Inside, labels are local indices
0..K (background, then those classes), because only these are told apart. What draws labels to the image's
edges is the dense CRF, or a refinement of the scores that the caller passes, as those of
`wsss.inference.pixel_adaptive`.
"""

from collections.abc import Callable

import numpy as np

from wsss.crf import Field, refine_labels
from wsss.errors import UserError
from wsss.metrics import IGNORE

#: image (H, W, 3), scores (L, H, W) of all labels, iterations -> scores (L, H, W)
RefineScores = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def affinity_label(
    image: np.ndarray,
    cams: np.ndarray,
    saliency: np.ndarray | None,
    keys: np.ndarray,
    *,
    fg_threshold: float,
    bg_threshold: float,
    iterations: int,
    gt_prob: float,
    refine: RefineScores | None = None,
) -> np.ndarray:
    """Labels of what is sure, for learning affinities (IRNet, CVPR 2019; with saliency P-NOC).

    image: (H, W, 3) uint8 RGB. cams: (K, H, W), each divided by its maximum.
    saliency: (H, W) in [0, 1], or None.
    keys: (K + 1,) mask values, 0 first, then one per CAM. iterations, gt_prob: of both CRFs. refine: what
    takes the CRFs' place, the background's score being the threshold; gt_prob is then not used.
    With saliency: one CRF decides what is salient (> bg_threshold), another the class of salient pixels with
    a CAM > fg_threshold. A pixel with a class gets it; of the others, salient ones are unknown (255), the
    rest background.
    Without: two CRFs over the CAMs with either threshold; the class of the strict one; 255 where only the
    lenient one (bg_threshold) finds a class; else 0.
    An image without classes (K = 0) is all background. Returns (H, W) uint8. Raises UserError for arrays
    that do not fit together.
    """
    cams, keys = _checked(image, cams, keys, "cams")
    if saliency is not None:
        saliency = _checked_saliency(saliency, cams.shape[1:])
    if len(cams) == 0:
        return np.zeros(cams.shape[1:], np.uint8)

    field = Field(image)  # of both CRFs

    def refined(scores: np.ndarray, background: float) -> np.ndarray:
        return _refined(field, scores, background, iterations, gt_prob, refine)

    if saliency is not None:
        unknown = refined(saliency[None].astype(np.float32), bg_threshold) > 0
        classes = refined(np.where(unknown, cams, 0), fg_threshold)
    else:
        classes = refined(cams, fg_threshold)
        unknown = refined(cams, bg_threshold) > 0
    return np.where(classes > 0, keys[classes], np.where(unknown, IGNORE, 0)).astype(np.uint8)


def pseudo_label(
    image: np.ndarray,
    scores: np.ndarray,
    keys: np.ndarray,
    *,
    threshold: float,
    iterations: int,
    gt_prob: float,
    refine: RefineScores | None = None,
) -> np.ndarray:
    """Labels of every pixel, for learning the segmentation (P-NOC, stage 4).

    image: (H, W, 3) uint8 RGB. scores: (K, H, W), the walked CAMs divided by their common maximum.
    keys: (K + 1,) mask values, 0 first. threshold: the background's score.
    iterations, gt_prob: of the CRF; iterations 0 leaves it out. refine: see `affinity_label`.
    An image without classes (K = 0) is all background. Returns (H, W) uint8, never 255. Raises UserError for
    arrays that do not fit together.
    """
    scores, keys = _checked(image, scores, keys, "scores")
    if len(scores) == 0:
        return np.zeros(scores.shape[1:], np.uint8)
    return np.asarray(keys[_refined(Field(image), scores, threshold, iterations, gt_prob, refine)])


def _refined(
    field: Field,
    scores: np.ndarray,
    background: float,
    iterations: int,
    gt_prob: float,
    refine: RefineScores | None,
) -> np.ndarray:
    """Local labels (H, W) of scores (K, H, W) against a background's score, drawn to the image's edges."""
    if refine is None:
        labels = _strongest(scores, background)
        return refine_labels(field, labels, len(scores) + 1, iterations=iterations, gt_prob=gt_prob)
    everything = np.concatenate([np.full_like(scores[:1], background), scores])
    strongest: np.ndarray = refine(field.image, everything, iterations).argmax(0)
    return strongest


def _strongest(scores: np.ndarray, background: float) -> np.ndarray:
    """Local index of the strongest class, 0 where none exceeds the background's score."""
    best = scores.argmax(0)
    above = np.take_along_axis(scores, best[None], 0)[0] > np.float32(background)
    return np.where(above, best + 1, 0)


def _checked(
    image: np.ndarray, scores: np.ndarray, keys: np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Scores as float32 and keys as uint8, or one error with all that does not fit."""
    image, scores, keys = np.asarray(image), np.asarray(scores), np.asarray(keys)
    faults = []
    if image.ndim != 3 or scores.ndim != 3 or image.shape[:2] != scores.shape[1:]:
        faults.append(f"image {image.shape} and {name} {scores.shape}: (H, W, 3) and (K, H, W) are needed")
    elif keys.shape != (len(scores) + 1,):
        faults.append(f"keys {keys.shape} of {len(scores)} {name}: background first, then one per class")
    if not np.issubdtype(scores.dtype, np.floating):
        faults.append(f"{name} of {scores.dtype}: floats are needed")
    elif not np.isfinite(scores).all():
        faults.append(f"{name}: not finite")
    if not np.issubdtype(keys.dtype, np.integer) or keys.size == 0:
        faults.append(f"keys {keys.shape} of {keys.dtype}: integers are needed")
    elif keys.flat[0] != 0 or (keys.ravel()[1:] < 1).any() or (keys >= IGNORE).any():
        faults.append(f"keys {keys.tolist()}: 0 first, then mask values from 1 to {IGNORE - 1}")
    if faults:
        raise UserError("labels: " + "; ".join(faults))
    return scores.astype(np.float32, copy=False), keys.astype(np.uint8)


def _checked_saliency(saliency: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    saliency = np.asarray(saliency)
    if saliency.shape != size:
        raise UserError(f"labels: saliency {saliency.shape} of an image of {size}: sizes must agree")
    if not np.issubdtype(saliency.dtype, np.floating) or not (saliency.min() >= 0 and saliency.max() <= 1):
        raise UserError("labels: saliency: floats in [0, 1] are needed (8-bit maps divided by 255)")
    return saliency
