"""Dense conditional random field: label maps and score maps drawn to the edges of the photograph.

Krähenbühl and Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials", NIPS 2011.
All that is published uses one mean-field inference, `mean_field`, with three kinds of unary energies; it
alone knows the package that computes it, so that another can take its place.
"""

import math
from dataclasses import dataclass

import numpy as np
from pydensecrf import densecrf

from wsss.errors import UserError

#: probabilities are kept above, so that energies stay finite
LEAST_PROBABILITY = 1e-5


@dataclass(frozen=True)
class Kernels:
    """Widths and weights of the two Gaussian kernels, of position and of position with colour.

    sxy in pixels, srgb in grey levels.
    """

    position_sxy: float
    position_weight: float
    colour_sxy: float
    colour_srgb: float
    colour_weight: float


LABEL_KERNELS = Kernels(3, 3, 50, 5, 10)
DEEPLAB_KERNELS = Kernels(1, 3, 67, 3, 4)


def refine_labels(
    image: np.ndarray, labels: np.ndarray, n_labels: int, *, iterations: int, gt_prob: float
) -> np.ndarray:
    """Labels after the CRF, starting from hard labels.

    image: (H, W, 3) uint8 RGB. labels: (H, W) integers or booleans in [0, n_labels): local indices, only
    what the image holds, not the data set's classes (see `wsss.labels`). iterations: mean-field steps; 0
    returns the labels. gt_prob: in (0, 1), how far a label is trusted; the other labels share the rest.
    Returns a new (H, W) array of the labels' type (uint8 for booleans). With a single label there is nothing
    to decide. Raises UserError naming the argument for arrays or values that make no sense.
    """
    image, labels = _checked_image(image), _checked_labels(labels, n_labels)
    if labels.shape != image.shape[:2]:
        raise UserError(f"CRF: labels {labels.shape} on an image of {image.shape[:2]}: sizes must agree")
    _check_options(iterations, gt_prob)
    if iterations == 0 or n_labels == 1:
        return labels.copy()
    marginals = label_marginals(image, labels, n_labels, iterations=iterations, gt_prob=gt_prob)
    refined: np.ndarray = marginals.argmax(0).astype(labels.dtype)
    return refined


def label_marginals(
    image: np.ndarray, labels: np.ndarray, n_labels: int, *, iterations: int, gt_prob: float
) -> np.ndarray:
    """Probabilities (n_labels, H, W), float32, behind `refine_labels`, whose arguments these are.

    n_labels: 2 at least. iterations 0 gives the labels' own probabilities.
    """
    image, labels = _checked_image(image), _checked_labels(labels, n_labels)
    _check_options(iterations, gt_prob)
    if n_labels < 2:
        raise UserError(f"CRF: n_labels {n_labels}: at least 2 are needed for probabilities")
    unary = np.full((n_labels, *labels.shape), -math.log((1 - gt_prob) / (n_labels - 1)), np.float32)
    np.put_along_axis(unary, labels[None].astype(np.intp), -math.log(gt_prob), axis=0)
    return mean_field(image, unary, LABEL_KERNELS, iterations)


def refine_mixed(
    image: np.ndarray, probabilities: np.ndarray, *, iterations: int, gt_prob: float, scale: float = 1
) -> np.ndarray:
    """Probabilities after the CRF, first mixed with a uniform guess (the 2023 release; C2AM's sigmoid maps).

    image: (H, W, 3) uint8; probabilities: (L, H, W) in [0, 1], sum 1 per pixel; gt_prob: in (0, 1], the part
    of the given probabilities in the mixture; scale: by how much the maps are smaller than the image the
    kernels were made for. Returns (L, H, W) float32; iterations 0 returns the probabilities.
    """
    image, probabilities = _checked_image(image), _checked_probabilities(probabilities)
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
        LABEL_KERNELS.colour_sxy / scale,
        LABEL_KERNELS.colour_srgb,
        LABEL_KERNELS.colour_weight,
    )
    return mean_field(image, _energy(mixed), kernels, iterations)


def refine_deeplab(image: np.ndarray, probabilities: np.ndarray, *, iterations: int) -> np.ndarray:
    """Probabilities after the CRF with DeepLab-v2's kernels (Chen et al., TPAMI 2018), for the last stage.

    image: (H, W, 3) uint8; probabilities: (L, H, W) in [0, 1], sum 1 per pixel. Returns (L, H, W) float32;
    iterations 0 returns the probabilities.
    """
    image, probabilities = _checked_image(image), _checked_probabilities(probabilities)
    _check_options(iterations)
    if iterations == 0:
        return probabilities.copy()
    return mean_field(image, _energy(probabilities), DEEPLAB_KERNELS, iterations)


def mean_field(image: np.ndarray, unary: np.ndarray, kernels: Kernels, iterations: int) -> np.ndarray:
    """Approximate marginals of the CRF with Potts compatibility and symmetric normalisation of the kernels.

    image: (H, W, 3) uint8; unary: (L, H, W) energies, -log of the probabilities. Starts from softmax(-unary)
    and takes `iterations` steps. Returns (L, H, W) float32, sum 1 per pixel.
    """
    if unary.shape[1:] != image.shape[:2]:
        raise UserError(f"CRF: maps {unary.shape[1:]} on an image of {image.shape[:2]}: sizes must agree")
    count, height, width = unary.shape
    # the package takes only writable arrays of its own layout
    image = np.require(image, np.uint8, ["C", "W"])
    field = densecrf.DenseCRF2D(width, height, count)
    field.setUnaryEnergy(np.require(unary.reshape(count, -1), np.float32, ["C", "W"]))
    field.addPairwiseGaussian(sxy=kernels.position_sxy, compat=kernels.position_weight)
    field.addPairwiseBilateral(
        sxy=kernels.colour_sxy, srgb=kernels.colour_srgb, rgbim=image, compat=kernels.colour_weight
    )
    return np.array(field.inference(iterations), np.float32).reshape(count, height, width)


def _energy(probabilities: np.ndarray) -> np.ndarray:
    energy: np.ndarray = -np.log(np.clip(probabilities, LEAST_PROBABILITY, 1))
    return energy


def _checked_image(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise UserError(f"CRF: image {image.shape} of {image.dtype}: (H, W, 3) of uint8 is needed")
    if image.size == 0:
        raise UserError(f"CRF: image {image.shape}: it has no pixels")
    return image


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


def _check_options(iterations: int, gt_prob: float = 0.5) -> None:
    if iterations < 0:
        raise UserError(f"CRF: iterations {iterations}: 0 or more are needed")
    if not 0 < gt_prob < 1:
        raise UserError(f"CRF: gt_prob {gt_prob}: a number between 0 and 1, both excluded, is needed")
