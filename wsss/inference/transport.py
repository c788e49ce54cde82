"""Sharing pixels out among classes by optimal transport (DHR: Jo et al., ECCV 2024).

Cuturi, "Sinkhorn distances: lightspeed computation of optimal transport", NIPS 2013, with uniform marginals
over pixels and classes. A class that scores high everywhere is so held back in favor of rarer ones.
"""

from typing import NamedTuple

import numpy as np

from wsss.errors import UserError


class Transport(NamedTuple):
    """What `sinkhorn` returns, both (M, C) float32.

    plan: mass from each pixel to each class; columns sum to 1 / C, rows nearly to 1 / M. scaled: the plan
    brought to 0..1 for each class.
    """

    plan: np.ndarray
    scaled: np.ndarray


def sinkhorn(
    maps: np.ndarray,
    *,
    regularization: float = 0.1,
    iterations: int = 100,
    tolerance: float = 0.01,
    floor: float = 1e-5,
) -> Transport:
    """Regularized transport between pixels and classes of which similarity s costs 1 - s.

    maps: (C, h, w) scores, or (M, C) similarities. iterations: at most; the published early stop, the mean
    absolute change of the pixels' factor below `tolerance`, is part of the result. floor: least range by
    which a class is scaled; from about 1e5 pixels on it exceeds the range, so use it at the resolution of
    features. A single class has no contrast and scales to about 0 everywhere: leave it as it is.
    Raises UserError for arrays of other shapes or values that are not finite.
    """
    similarity = np.asarray(maps, np.float64)
    if similarity.ndim == 3:
        similarity = similarity.reshape(len(similarity), -1).T
    if similarity.ndim != 2 or 0 in similarity.shape:
        raise UserError(f"sinkhorn: maps {np.shape(maps)}: (C, h, w) or (M, C), not empty, is needed")
    if not np.isfinite(similarity).all():
        raise UserError("sinkhorn: maps are not finite")
    pixels, classes = similarity.shape
    kernel = np.exp((similarity - 1) / regularization)
    rows, columns = np.ones(pixels), np.ones(classes)
    for _ in range(iterations):
        before, rows = rows, 1 / pixels / (kernel @ columns)
        columns = 1 / classes / (kernel.T @ rows)
        if np.abs(rows - before).mean() < tolerance:
            break
    plan = rows[:, None] * kernel * columns
    least = plan.min(0)
    scaled = (plan - least) / np.maximum(plan.max(0) - least, floor)
    return Transport(plan.astype(np.float32), scaled.astype(np.float32))
