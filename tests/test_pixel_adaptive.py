"""Pixel-adaptive refinement: equal to PAMR and PAR as published, and what an average over neighbors does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from wsss.config import PseudoLabelsConfig
from wsss.errors import UserError
from wsss.inference import pamr, par
from wsss.inference.label_making import REFINEMENTS
from wsss.labels import pseudo_label

METHODS = pytest.mark.parametrize("method", [pamr, par])


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "par.npz") as file:
        return dict(file)


@pytest.fixture
def halves() -> tuple[np.ndarray, np.ndarray]:
    """An image of two colors, and a mask of the left one that is noisy on both sides."""
    image = np.full((24, 32, 3), (200, 60, 40), np.uint8)
    image[:, 16:] = (30, 90, 220)
    noise = np.random.default_rng(0).normal(0, 0.3, (24, 32))
    image = np.clip(image + np.random.default_rng(1).normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    return image, (noise + np.where(np.arange(32) < 16, 0.7, 0.3))[None].astype(np.float32)


@METHODS
@pytest.mark.parametrize(
    ("masks", "suffix", "options"),
    [("masks", "", {}), ("masks_low", "_low", {}), ("masks", "_1", {"iterations": 1})],
)
def test_masks_equal_the_published_ones(
    golden: dict[str, np.ndarray], method: Callable, masks: str, suffix: str, options: dict[str, int]
) -> None:
    refined = method(golden["image"], golden[masks], **options)
    np.testing.assert_allclose(refined, golden[method.__name__ + suffix], rtol=0, atol=1e-5)


@METHODS
def test_a_noisy_mask_follows_the_colors(method: Callable, halves: tuple[np.ndarray, np.ndarray]) -> None:
    image, mask = halves
    left = np.broadcast_to(np.arange(32) < 16, (24, 32))
    refined = method(image, mask)
    assert ((mask[0] > 0.5) != left).mean() > 0.2
    assert ((refined[0] > 0.5) != left).mean() < 0.02


def test_weights_sum_to_1_and_par_s_to_1_01(halves: tuple[np.ndarray, np.ndarray]) -> None:
    image, mask = halves
    ones = np.ones_like(mask)
    np.testing.assert_allclose(pamr(image, ones), 1, rtol=1e-5)
    np.testing.assert_allclose(par(image, ones), 1.01**10, rtol=1e-5)
    refined = pamr(image, mask)
    assert mask.min() <= refined.min() <= refined.max() <= mask.max()


@METHODS
def test_a_flat_image_averages_evenly(method: Callable) -> None:
    image = np.full((9, 9, 3), 77, np.uint8)
    mask = np.zeros((1, 9, 9), np.float32)
    mask[0, 4, 4] = 1
    once = method(image, mask, iterations=1, dilations=(1,))
    assert once[0, 4, 4] == 0  # a pixel has no weight in its own average
    np.testing.assert_allclose(once[0, 3, 4], 1 / 8, rtol=0.03)
    assert once[0, 2, 2] == 0


@METHODS
def test_kind_of_array_and_empty_masks(method: Callable, halves: tuple[np.ndarray, np.ndarray]) -> None:
    image, mask = halves
    as_tensors = method(torch.from_numpy(image), torch.from_numpy(mask), iterations=2)
    assert isinstance(as_tensors, torch.Tensor)
    np.testing.assert_array_equal(as_tensors.numpy(), method(image, mask, iterations=2))
    assert method(image, mask[:0]).shape == method(image, mask[:0, ::4, ::4]).shape == (0, 24, 32)
    np.testing.assert_array_equal(method(image, mask, iterations=0), mask)


@METHODS
def test_arrays_that_cannot_be_refined_are_named(method: Callable) -> None:
    with pytest.raises(UserError, match=r"image \(4, 4\).*masks \(4, 4\)"):
        method(np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.float32))
    with pytest.raises(UserError, match="dilations"):
        method(np.zeros((4, 4, 3), np.uint8), np.zeros((1, 4, 4), np.float32), dilations=(0,))


@METHODS
def test_label_maps_choose_it_by_name(method: Callable, halves: tuple[np.ndarray, np.ndarray]) -> None:
    image, mask = halves
    chosen = REFINEMENTS[method.__name__]
    assert chosen is not None and REFINEMENTS["crf"] is None
    np.testing.assert_array_equal(chosen(image, mask, 3), method(image, mask, iterations=3))
    settings = PseudoLabelsConfig.model_validate({"refine": method.__name__, "gt_prob": 0.8})
    assert settings.differences() == {"refine": method.__name__}  # gt_prob is the CRF's
    keys = np.array([0, 4])
    crf = pseudo_label(image, mask, keys, threshold=0.5, iterations=0, gt_prob=0.9)
    left = np.where(np.arange(32) < 16, 4, 0)
    refined = pseudo_label(image, mask, keys, threshold=0.5, iterations=10, gt_prob=0.9, refine=chosen)
    assert (refined != left).mean() < 0.02 < 0.2 < (crf != left).mean()
