"""The objectives of the priors against the published system's values."""

import numpy as np
import pytest
import torch

from wsss import losses
from wsss.config import ErasingConfig, PuzzleConfig


@pytest.fixture(scope="module")
def golden(shared):
    return {key: torch.from_numpy(value) for key, value in np.load(shared / "golden/functions.npz").items()}


def test_puzzle_tiles_agree_with_the_published_order(golden):
    assert torch.equal(losses.tile(golden["puzzle_in"], 4), golden["puzzle_tiles"])
    assert torch.equal(losses.merge(golden["puzzle_tiles"], 4), golden["puzzle_merged"])


@pytest.mark.parametrize("pieces", [1, 4, 9])
def test_merging_undoes_tiling(pieces):
    images = torch.randn(2, 3, 12, 18)
    assert torch.equal(losses.merge(losses.tile(images, pieces), pieces), images)


def test_tiling_refuses_sides_that_do_not_divide():
    with pytest.raises(ValueError, match="7×8"):
        losses.tile(torch.zeros(1, 3, 7, 8), 4)
    with pytest.raises(ValueError, match="pieces = 5"):
        losses.tile(torch.zeros(1, 3, 8, 8), 5)


def test_soft_erasing_agrees_with_the_published_values(golden):
    image, cam = golden["erase_image"], golden["erase_cam"]
    maps = losses.maps_of_class(cam, golden["erase_class"].argmax(dim=1))
    erased = losses.erase_soft(image, losses.evidence_of(maps, (32, 48)))
    torch.testing.assert_close(erased, golden["erase_soft"], rtol=1e-4, atol=1e-5)


def test_hard_erasing_agrees_with_the_published_values(golden):
    image, cam = golden["erase_image"], golden["erase_cam"]
    maps = losses.maps_of_class(cam, golden["erase_class"].argmax(dim=1))
    torch.testing.assert_close(
        losses.erase_hard(image, losses.evidence_of(maps, (32, 48)), 0.2), golden["erase_hard"]
    )


def test_soft_erasing_passes_the_gradient_and_hard_erasing_does_not():
    image, maps = torch.randn(2, 3, 8, 8), torch.rand(2, 1, 2, 2, requires_grad=True)
    losses.erase_soft(image, losses.evidence_of(maps, (8, 8))).sum().backward()
    assert maps.grad is not None and maps.grad.abs().sum() > 0
    assert not losses.erase_hard(image, losses.evidence_of(maps, (8, 8)), 0.2).requires_grad


def test_soft_erasing_by_each_images_own_peak_hides_it_completely():
    image = torch.ones(2, 3, 4, 4)
    evidence = torch.zeros(2, 1, 4, 4)
    evidence[0, 0, 0, 0], evidence[1, 0, 0, 0] = 10.0, 1.0
    own = losses.erase_soft(image, evidence, evidence.amax((1, 2, 3), True))
    assert own[:, :, 0, 0].abs().max() < 1e-4
    shared_peak = losses.erase_soft(image, evidence)
    assert shared_peak[1, 0, 0, 0] == pytest.approx(0.9, abs=1e-4)


def test_ramps_agree_with_the_published_schedules(golden):
    puzzle, erasing = PuzzleConfig(), ErasingConfig()
    re = [puzzle.weight_at(t, 20) for t in range(20)]
    cse = [erasing.weight_at(t, 20) for t in range(20)]
    np.testing.assert_allclose(re, golden["ramp_re"], rtol=1e-9)
    np.testing.assert_allclose(cse, golden["ramp_cse"], rtol=1e-9)
    assert ErasingConfig(ramp=0.0).weight_at(0, 20) == 1.0


def test_smoothing_and_loss_of_soft_targets():
    labels = torch.tensor([[1.0, 0.0]])
    smooth = losses.smooth_labels(labels, 0.1)
    torch.testing.assert_close(smooth, torch.tensor([[0.95, 0.05]]))
    logits = torch.tensor([[2.0, -3.0]])
    expected = torch.nn.functional.multilabel_soft_margin_loss(logits, smooth)
    torch.testing.assert_close(losses.classification_loss(logits, smooth), expected)


@pytest.mark.parametrize("over", ["masking", "selection", "none"])
@pytest.mark.parametrize("distance", ["l1", "l2"])
def test_reconstruction_variants_against_a_loop(over, distance):
    generator = torch.Generator().manual_seed(3)
    full, merged = torch.randn(2, 3, 4, 4, generator=generator), torch.randn(2, 3, 4, 4, generator=generator)
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    power = 1 if distance == "l1" else 2
    difference = (full - merged).abs() ** power
    per_map = difference.mean(dim=(-2, -1)).double().numpy()
    present = labels.numpy()
    expected = {
        "masking": (per_map * present).mean(),
        "selection": np.mean([(per_map[b] * present[b]).sum() / present[b].sum() for b in range(2)]),
        "none": per_map.mean(),
    }[over]
    ours = losses.reconstruction_loss(full, merged, labels, distance=distance, over=over)
    assert float(ours) == pytest.approx(expected, rel=1e-5)
