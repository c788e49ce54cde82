"""Votes of region masks: what a label or a CAM says of a whole region, the region's pixels take over.

Masks of image regions follow edges that CAMs and pseudo labels miss. Where they come from (superpixels,
SAM, a folder) does not matter here. SEPL: Chen et al., "Segment Anything Model (SAM) Enhanced Pseudo Labels
for Weakly Supervised Semantic Segmentation", 2023. FMA: Yang and Gong, "Foundation Model Assisted Weakly
Supervised Semantic Segmentation", WACV 2024, whose seeding is SAMS.
"""

from typing import Literal, get_args

import numpy as np

from wsss.errors import UserError
from wsss.metrics import IGNORE

EPSILON = 1e-7

VoteRule = Literal["max_iou", "max_iou_imp", "max_iou_imp2", "fma"]


def vote_sepl(
    labels: np.ndarray,
    masks: np.ndarray,
    *,
    rule: str = "max_iou_imp2",
    majority: float = 0.5,
    coverage: float = 0.85,
) -> np.ndarray:
    """A label map in which every region has the class that most of its pixels have.

    labels: (H, W) integers, 0 background, 255 ignore. masks: (R, H, W) booleans, overlaps are allowed.
    Each class k of the labels votes in ascending order, P being its pixels: it claims a region s that no
    earlier class has claimed if |s ∩ P| / |s| exceeds `majority` or, with `max_iou_imp2` and `fma`, if
    |s ∩ P| / |P| reaches `coverage`. Claimed regions become k; all rules but `max_iou` also keep the pixels
    of P that no unclaimed region covers. Later classes overwrite earlier ones; all else becomes background.
    `fma` differs in two ways: reaching `majority` is enough, and regions cover whether claimed or not.
    A region of the whole image floods it with the first class: leave such regions out.
    Returns (H, W) uint8 without ignored pixels. Raises UserError for arrays of other shapes.
    """
    if rule not in get_args(VoteRule):
        raise UserError(f"votes: rule {rule!r}, allowed are {', '.join(get_args(VoteRule))}")
    labels, masks = np.asarray(labels), np.asarray(masks)
    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(f"votes: labels {labels.shape} of {labels.dtype}: (H, W) of integers is needed")
    _check_masks(masks, labels.shape)
    areas = masks.sum((1, 2))
    voted = np.zeros(labels.shape, np.uint8)
    unclaimed = areas > 0
    for k in np.unique(labels):
        if k in (0, IGNORE):
            continue
        pixels = labels == k
        inside = masks[:, pixels].sum(1)
        claimed = inside >= majority * areas if rule == "fma" else inside > majority * areas
        if rule in ("max_iou_imp2", "fma"):
            claimed |= inside >= coverage * pixels.sum()
        claimed &= unclaimed
        if rule != "max_iou":
            covering = masks if rule == "fma" else masks[unclaimed]
            voted[pixels & ~covering.any(0)] = k
        voted[masks[claimed].any(0)] = k
        unclaimed &= ~claimed
    return voted


def vote_sams(
    cam: np.ndarray, fg: np.ndarray, masks: np.ndarray, level: np.ndarray, *, power: float = 1
) -> np.ndarray:
    """A label map of an image's regions alone, by how strongly each class's CAM lies on them (SAMS).

    cam: (K, H, W), one map per present class; fg: (K,) its zero-based class, mask value fg + 1. masks:
    (R, H, W) booleans; level: (R,) how large a part of an object a region is (SAM: 0 part of a part to
    2 whole; zeros where a source has no levels). power: exponent of the background's score; the published
    values 0.6 and 0.7 were chosen on masks, 1 changes nothing.
    Regions are painted in ascending order of level, then score; pixels without a region are background.
    Returns (H, W) uint8. Raises UserError for arrays of other shapes.
    """
    scores = region_scores(cam, masks, power=power)
    fg, level = np.asarray(fg), np.asarray(level)
    if fg.shape != (len(cam),) or level.shape != (len(masks),):
        raise UserError(
            f"votes: fg {fg.shape} and level {level.shape} for cam {np.shape(cam)} and masks "
            f"{np.shape(masks)}: one class per map and one level per region are needed"
        )
    values = np.concatenate([[0], fg.astype(np.int64) + 1])
    region_label = values[scores.argmax(1)]
    seed = np.zeros(np.shape(masks)[1:], np.uint8)
    for region in painting_order(scores, level):
        seed[masks[region]] = region_label[region]
    return seed


def region_scores(cam: np.ndarray, masks: np.ndarray, *, power: float = 1) -> np.ndarray:
    """Scores (R, K + 1) of regions, background first, float32; the arguments are those of `vote_sams`.

    A class's score is the mean of its positive CAM over the region, min-max normalized over the image's
    regions; the background's is (1 - the highest of them)^power. An empty region's mean is 0.
    """
    cam, masks = np.asarray(cam), np.asarray(masks)
    if cam.ndim != 3:
        raise UserError(f"votes: cam {cam.shape}: (K, H, W) is needed")
    _check_masks(masks, cam.shape[1:])
    if not power > 0:
        raise UserError(f"votes: power {power}: a positive number is needed")
    if 0 in (len(cam), len(masks)):
        return np.ones((len(masks), len(cam) + 1), np.float32)
    flat = masks.reshape(len(masks), -1).astype(np.float64)
    areas = np.maximum(flat.sum(1, keepdims=True), 1)
    means = flat @ np.maximum(cam, 0).reshape(len(cam), -1).T.astype(np.float64) / areas
    spread = means.max(0) - means.min(0)
    classes = (means - means.min(0)) / (spread + EPSILON)
    background = (1 - classes.max(1, keepdims=True)) ** power
    scores: np.ndarray = np.concatenate([background, classes], 1).astype(np.float32)
    return scores


def painting_order(scores: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Indices (R,) of regions in the order in which they are painted, the last one staying on top."""
    return np.lexsort((scores.max(1), np.asarray(level)))


def _check_masks(masks: np.ndarray, size: tuple[int, ...]) -> None:
    if masks.ndim != 3 or masks.dtype != bool or masks.shape[1:] != size:
        raise UserError(
            f"votes: masks {masks.shape} of {masks.dtype} on an image of {size}: (R, H, W) of bool is needed"
        )
