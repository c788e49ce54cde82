"""The CRFs of the chain: hard labels, probabilities mixed with a uniform guess, DeepLab's probabilities."""

import math

import numpy as np

from wsss.crf.field import Field, Kernels
from wsss.errors import UserError

#: probabilities are kept above, so that energies stay finite
LEAST_PROBABILITY = 1e-5
#: of the most probable label's, what a label's probability has to reach somewhere to be inferred for itself
NEGLIGIBLE = 1e-2

LABEL_KERNELS = Kernels(3, 3, 50, 5, 10)
DEEPLAB_KERNELS = Kernels(1, 3, 67, 3, 4)


def refine_labels(
    image: np.ndarray | Field, labels: np.ndarray, n_labels: int, *, iterations: int, gt_prob: float
) -> np.ndarray:
    """Labels after the CRF, starting from hard labels.

    image: (H, W, 3) uint8 RGB, or its field, whose filters then serve several calls. labels: (H, W) integers
    or booleans in [0, n_labels): local indices, only what the image holds, not the data set's classes (see
    `wsss.labels`). iterations: mean-field steps; 0 returns the labels. gt_prob: in (1/n_labels, 1), how far a
    label is trusted; the other labels share the rest.
    Returns a new (H, W) array of the labels' type (uint8 for booleans). With a single label there is nothing
    to decide. Raises UserError naming the argument for arrays or values that make no sense.
    """
    field, labels = _field(image), _checked_labels(labels, n_labels)
    if labels.shape != field.size:
        raise UserError(f"CRF: labels {labels.shape} on an image of {field.size}: sizes must agree")
    _check_options(iterations, gt_prob, n_labels)
    if iterations == 0 or n_labels == 1:
        return labels.copy()
    marginals = label_marginals(field, labels, n_labels, iterations=iterations, gt_prob=gt_prob)
    refined: np.ndarray = marginals.argmax(0).astype(labels.dtype)
    return refined


def label_marginals(
    image: np.ndarray | Field, labels: np.ndarray, n_labels: int, *, iterations: int, gt_prob: float
) -> np.ndarray:
    """Probabilities (n_labels, H, W), float32, behind `refine_labels`, whose arguments these are.

    n_labels: 2 at least. iterations 0 gives the labels' own probabilities.
    """
    field, labels = _field(image), _checked_labels(labels, n_labels)
    _check_options(iterations, gt_prob, n_labels)
    if n_labels < 2:
        raise UserError(f"CRF: n_labels {n_labels}: at least 2 are needed for probabilities")
    unary = np.full((n_labels, *labels.shape), -math.log((1 - gt_prob) / (n_labels - 1)), np.float32)
    np.put_along_axis(unary, labels[None].astype(np.intp), -math.log(gt_prob), axis=0)
    return field.infer(unary, LABEL_KERNELS, iterations)


def refine_mixed(
    image: np.ndarray | Field, probabilities: np.ndarray, *, iterations: int, gt_prob: float, scale: float = 1
) -> np.ndarray:
    """Probabilities after the CRF, first mixed with a uniform guess (the 2023 release; C2AM's sigmoid maps).

    image: (H, W, 3) uint8, or its field; probabilities: (L, H, W) in [0, 1], sum 1 per pixel; gt_prob: in
    (0, 1], the part of these probabilities in the mixture; scale: by how much the maps are smaller than the
    image the kernels were made for. Returns (L, H, W) float32; iterations 0 returns the probabilities.
    """
    field, probabilities = _field(image), _checked_probabilities(probabilities)
    _check_options(iterations)
    if not 0 < gt_prob <= 1:
        raise UserError(f"CRF: gt_prob {gt_prob}: a number above 0 and at most 1 is needed")
    if not scale > 0:
        raise UserError(f"CRF: scale {scale}: a positive number is needed")
    if iterations == 0:
        return probabilities.copy()
    mixed = gt_prob * probabilities + (1 - gt_prob) / len(probabilities)
    kernels = Kernels(
        LABEL_KERNELS.position_sxy / scale,
        LABEL_KERNELS.position_weight,
        LABEL_KERNELS.color_sxy / scale,
        LABEL_KERNELS.color_srgb,
        LABEL_KERNELS.color_weight,
    )
    return _inferred(field, probabilities, mixed, kernels, iterations)


def refine_deeplab(image: np.ndarray | Field, probabilities: np.ndarray, *, iterations: int) -> np.ndarray:
    """Probabilities after the CRF with DeepLab-v2's kernels (Chen et al., TPAMI 2018), for the last stage.

    image: (H, W, 3) uint8, or its field; probabilities: (L, H, W) in [0, 1], sum 1 per pixel. Returns
    (L, H, W) float32; iterations 0 returns the probabilities.
    """
    field, probabilities = _field(image), _checked_probabilities(probabilities)
    _check_options(iterations)
    if iterations == 0:
        return probabilities.copy()
    return _inferred(field, probabilities, probabilities, DEEPLAB_KERNELS, iterations)


def _field(image: np.ndarray | Field) -> Field:
    return image if isinstance(image, Field) else Field(image)


def _inferred(
    field: Field, probabilities: np.ndarray, start: np.ndarray, kernels: Kernels, iterations: int
) -> np.ndarray:
    """Marginals of the CRF that starts from the probabilities `start` (L, H, W).

    Most classes of a data set are in no given image. Labels whose `probabilities` are negligible everywhere
    share one label's energies, and the inference takes the time of the others.
    """
    best = probabilities.max(0) * np.float32(NEGLIGIBLE)
    common = np.array([bool((of_label >= best).any()) for of_label in probabilities])
    rare = int((~common).sum())
    if rare < 2 or common.sum() < 2:
        return field.infer(_energy(start), kernels, iterations)
    shared = start[~common].mean(0, keepdims=True)
    unary = _energy(np.concatenate([start[common], shared]))
    marginals = field.infer(unary, kernels, iterations, copies=rare)
    everything = np.empty_like(start)
    everything[common], everything[~common] = marginals[:-1], marginals[-1]
    return everything


def _energy(probabilities: np.ndarray) -> np.ndarray:
    """-log of probabilities, float32, with one array of their size."""
    energy: np.ndarray = np.clip(probabilities, LEAST_PROBABILITY, 1, dtype=np.float32)
    np.log(energy, out=energy)
    return np.negative(energy, out=energy)


def _checked_labels(labels: np.ndarray, n_labels: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.dtype == bool:
        labels = labels.astype(np.uint8)
    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(f"CRF: labels {labels.shape} of {labels.dtype}: (H, W) of integers is needed")
    if labels.size == 0:
        raise UserError(f"CRF: labels {labels.shape}: they have no pixels")
    if n_labels < 1:
        raise UserError(f"CRF: n_labels {n_labels}: at least 1 is needed")
    least, greatest = int(labels.min()), int(labels.max())
    if least < 0 or greatest >= n_labels:
        raise UserError(f"CRF: labels from {least} to {greatest}: 0 to {n_labels - 1} are allowed")
    return labels


def _checked_probabilities(probabilities: np.ndarray) -> np.ndarray:
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 3 or not np.issubdtype(probabilities.dtype, np.floating):
        found = f"{probabilities.shape} of {probabilities.dtype}"
        raise UserError(f"CRF: probabilities {found}: (L, H, W) of floats is needed")
    if probabilities.size == 0:
        raise UserError(f"CRF: probabilities {probabilities.shape}: there are none")
    if not (probabilities.min() >= 0 and probabilities.max() <= 1 + LEAST_PROBABILITY):
        raise UserError("CRF: probabilities outside [0, 1] or not finite (apply the softmax)")
    return probabilities.astype(np.float32, copy=False)


def _check_options(iterations: int, gt_prob: float = 0.5, n_labels: int = 1) -> None:
    if iterations < 0:
        raise UserError(f"CRF: iterations {iterations}: 0 or more are needed")
    # At an even share the CRF knows no label, and below it prefers all others: masks turn inside out.
    least = 1 / n_labels if n_labels > 1 else 0.0
    if not least < gt_prob < 1:
        raise UserError(
            f"CRF: gt_prob {gt_prob}: must be above {least:.4g} (1/labels, of {n_labels}) and below 1"
        )
