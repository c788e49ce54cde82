"""Labels equal to pydensecrf's in the chain's settings, where it is: `pip install -e .[pydensecrf]`."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from wsss.crf import (
    DEEPLAB_KERNELS,
    LABEL_KERNELS,
    Field,
    Kernels,
    mean_field,
    refine_deeplab,
    refine_labels,
    refine_mixed,
)

densecrf = pytest.importorskip(
    "pydensecrf.densecrf", reason="pip install -e .[pydensecrf] (Python up to 3.12)"
)

#: data set's classes and the classes that a photograph shows, for the CRF of the last stage
CLASSES = 20


def oracle(image: np.ndarray, unary: np.ndarray, kernels: Kernels, iterations: int) -> np.ndarray:
    """Marginals (L, H, W) of pydensecrf."""
    count, height, width = unary.shape
    field = densecrf.DenseCRF2D(width, height, count)
    field.setUnaryEnergy(np.require(unary.reshape(count, -1), np.float32, ["C", "W"]))
    field.addPairwiseGaussian(sxy=kernels.position_sxy, compat=kernels.position_weight)
    field.addPairwiseBilateral(
        sxy=kernels.color_sxy,
        srgb=kernels.color_srgb,
        rgbim=np.require(image, np.uint8, ["C", "W"]),
        compat=kernels.color_weight,
    )
    return np.array(field.inference(iterations), np.float32).reshape(unary.shape)


def hard(labels: np.ndarray, count: int, gt_prob: float) -> np.ndarray:
    """Energies of hard labels."""
    unary = np.full((count, *labels.shape), -math.log((1 - gt_prob) / (count - 1)), np.float32)
    np.put_along_axis(unary, labels[None].astype(np.intp), -math.log(gt_prob), axis=0)
    return unary


def smooth_noise(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Normally distributed, a tenth of the image wide."""
    coarse = rng.standard_normal((10, 12))
    return ndimage.zoom(coarse, (size[0] / 10, size[1] / 12), order=1)[: size[0], : size[1]]


def scores_like_cams(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(K, H, W) of the mask's classes: blurred, noisy, each divided by its maximum."""
    scores = [
        ndimage.gaussian_filter((mask == value).astype(np.float32), 12) + 0.25 * smooth_noise(rng, mask.shape)
        for value in np.unique(mask)
        if value
    ]
    return np.array([score / max(score.max(), 1e-6) for score in scores], np.float32)


def probabilities_like_a_network(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(CLASSES + 1, H, W): the mask's classes blurred and noisy, the others improbable."""
    logits = np.full((CLASSES + 1, *mask.shape), -4.0)
    for value in range(CLASSES + 1):
        logits[value] += 1.5 * smooth_noise(rng, mask.shape)
        if (mask == value).any():
            logits[value] += 4 + 8 * ndimage.gaussian_filter((mask == value).astype(np.float32), 6)
    logits -= logits.max(0)
    raised = np.exp(logits)
    return (raised / raised.sum(0)).astype(np.float32)


def strongest(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Local labels: 0, or 1 + the strongest class."""
    return np.where(scores.max(0) > threshold, scores.argmax(0) + 1, 0)


def photograph(root: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and mask, ignored pixels as background."""
    pixels = np.asarray(Image.open(root / "JPEGImages" / f"{name}.jpg").convert("RGB"))
    mask = np.array(Image.open(root / "SegmentationClass" / f"{name}.png"))
    mask[mask == 255] = 0
    return pixels, mask


def differing_pixels(pixels: np.ndarray, mask: np.ndarray, seed: int) -> dict[str, int]:
    """Pixels with another label than pydensecrf's, per setting of the chain."""
    rng = np.random.default_rng(seed)
    scores = scores_like_cams(mask, rng)
    salient = strongest(scores_like_cams((mask > 0).astype(np.uint8), rng), 0.5) if len(scores) else mask
    field = Field(pixels)
    different = {}
    for name, labels, count, steps, gt_prob in (
        ("saliency", salient, 2, 10, 0.7),
        ("affinity", strongest(scores, 0.4) if len(scores) else mask, len(scores) + 1, 10, 0.7),
        ("pseudo", strongest(scores, 0.35) if len(scores) else mask, len(scores) + 1, 1, 0.9),
    ):
        if count > 1:
            ours = refine_labels(field, labels, count, iterations=steps, gt_prob=gt_prob)
            theirs = oracle(pixels, hard(labels, count, gt_prob), LABEL_KERNELS, steps).argmax(0)
            different[name] = int((ours != theirs).sum())
    probabilities = probabilities_like_a_network(mask, rng)
    ours = refine_deeplab(field, probabilities, iterations=10).argmax(0)
    energies = -np.log(probabilities.clip(1e-5, 1))
    different["masks"] = int((ours != oracle(pixels, energies, DEEPLAB_KERNELS, 10).argmax(0)).sum())
    return different


def test_labels_of_photographs_equal_the_oracle(shared: Path) -> None:
    for seed, name in enumerate(("2007_000032", "2007_000063")):
        pixels, mask = photograph(shared / "voc12-mini", name)
        assert not any(differing_pixels(pixels, mask, seed).values()), name


@pytest.mark.slow
def test_labels_of_two_hundred_photographs_equal_the_oracle(shared: Path) -> None:
    """All of voc12-animals' `val`; a quarter of an hour, most of it the oracle's."""
    root = shared / "voc12-animals"
    names = (root / "ImageSets" / "Segmentation" / "val.txt").read_text(encoding="utf-8").split()
    assert len(names) == 200
    wrong = {}
    for seed, name in enumerate(names):
        different = differing_pixels(*photograph(root, name), seed)
        if any(different.values()):
            wrong[name] = different
    assert wrong == {}


@pytest.mark.parametrize(
    ("size", "labels", "kernels", "kind"),
    [
        ((1, 1), 2, LABEL_KERNELS, "noise"),
        ((3, 5), 3, LABEL_KERNELS, "noise"),
        ((17, 1), 4, DEEPLAB_KERNELS, "noise"),
        ((1, 33), 2, LABEL_KERNELS, "flat"),
        ((100, 151), 3, LABEL_KERNELS, "noise"),
        ((100, 150), 21, DEEPLAB_KERNELS, "noise"),
        ((60, 70), 81, DEEPLAB_KERNELS, "gradient"),
        ((40, 50), 200, DEEPLAB_KERNELS, "gradient"),
        ((100, 150), 2, LABEL_KERNELS, "flat"),
        ((100, 150), 7, Kernels(3 / 4, 3, 50 / 4, 5, 10), "gradient"),
        ((90, 80), 13, Kernels(5, 1, 20, 20, 3), "noise"),
    ],
)
def test_odd_cases_equal_the_oracle(size: tuple[int, int], labels: int, kernels: Kernels, kind: str) -> None:
    rng = np.random.default_rng(3)
    image = np.full((*size, 3), 77, np.uint8)
    if kind == "noise":
        image = rng.integers(0, 256, (*size, 3), np.uint8)
    elif kind == "gradient":
        image[..., 0], image[..., 1] = np.linspace(0, 255, size[1]), np.linspace(255, 0, size[0])[:, None]
    probabilities = rng.dirichlet(np.ones(labels) * 0.3, size).transpose(2, 0, 1)
    unary = np.ascontiguousarray(-np.log(probabilities.clip(1e-5, 1)).astype(np.float32))
    ours, theirs = mean_field(image, unary, kernels, 5), oracle(image, unary, kernels, 5)
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
    margins = np.sort(theirs, axis=0)
    clear = margins[-1] - margins[-2] > 1e-5
    np.testing.assert_array_equal(ours.argmax(0)[clear], theirs.argmax(0)[clear])


def test_mixed_probabilities_equal_the_oracle(shared: Path) -> None:
    """The 2023 release's CRF, of which labels that are negligible share the energies of one."""
    pixels, mask = photograph(shared / "voc12-mini", "2007_000129")
    probabilities = probabilities_like_a_network(mask, np.random.default_rng(0))
    ours = refine_mixed(pixels, probabilities, iterations=10, gt_prob=0.7)
    mixed = 0.7 * probabilities + 0.3 / len(probabilities)
    theirs = oracle(pixels, -np.log(mixed), LABEL_KERNELS, 10)
    np.testing.assert_array_equal(ours.argmax(0), theirs.argmax(0))
