"""Class-aware attention affinity: equal to CLIP-ES's, also computed without a product of large matrices."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from wsss.errors import UserError
from wsss.inference.attention_refinement import box_mask, min_max, refine


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "clip_es.npz") as file:
        return dict(file)


def dense(attention: Tensor, boxes: Tensor, cam: Tensor) -> Tensor:
    """The refinement as its formula says it, in double precision."""
    affinity = attention.double().clone()
    for _ in range(3):
        affinity /= affinity.sum(0, keepdim=True)
        affinity /= affinity.sum(1, keepdim=True)
    affinity = (affinity + affinity.T) / 2
    affinity = affinity @ affinity
    maps = [
        (affinity * mask.flatten()) @ row.flatten().double() for mask, row in zip(boxes, cam, strict=True)
    ]
    return torch.stack(maps).view(cam.shape)


def drawn(seed: int = 0, size: tuple[int, int] = (6, 7), classes: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    count = size[0] * size[1]
    attention = (3 * torch.randn(count, count, generator=generator)).softmax(1)
    boxes = torch.rand(classes, *size, generator=generator) > 0.6
    return attention, boxes, torch.rand(classes, *size, generator=generator)


@pytest.mark.parametrize("case", ["a", "b"])
def test_stages_equal_the_published_ones(golden: dict[str, np.ndarray], case: str) -> None:
    raw, cam, boxes, attention, refined = (
        golden[f"{case}_{name}"] for name in ("raw", "cam", "box_mask", "attn_mean", "refined")
    )
    twice = min_max(min_max(torch.from_numpy(raw).relu())).numpy()
    np.testing.assert_allclose(twice, cam, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(box_mask(twice), boxes)
    ours = refine(*(torch.from_numpy(array) for array in (attention, boxes, cam))).numpy()
    np.testing.assert_allclose(ours, refined, rtol=0, atol=1e-5 * refined.max())


@pytest.mark.parametrize("seed", range(5))
def test_few_columns_give_what_the_whole_product_gives(seed: int) -> None:
    attention, boxes, cam = drawn(seed)
    torch.testing.assert_close(
        refine(attention, boxes, cam).double(), dense(attention, boxes, cam), rtol=1e-5, atol=1e-7
    )


def test_evidence_outside_of_boxes_counts_for_nothing_and_spreads_there() -> None:
    attention, boxes, cam = drawn()
    refined = refine(attention, boxes, cam)
    torch.testing.assert_close(refine(attention, boxes, torch.where(boxes, cam, 9)), refined)
    assert (refined[~boxes] > 0).all()


def test_without_a_box_the_refinement_is_zero() -> None:
    attention, _, cam = drawn()
    none = torch.from_numpy(box_mask(np.zeros(cam.shape, np.float32)))
    assert not none.any()
    assert refine(attention, none, cam).abs().max() == 0
    assert refine(attention, none[:0], cam[:0]).shape == (0, 6, 7)


def test_boxes_bound_components_and_end_before_the_border() -> None:
    cam = np.zeros((2, 8, 9), np.float32)
    cam[0, 1, 1] = cam[0, 2, 2] = 1  # touch at a corner: one component
    cam[0, 5, 6] = 0.3  # below 0.4
    cam[1, 6:, 7:] = 0.5
    boxes = box_mask(cam)
    assert boxes[0].nonzero()[0].tolist() == [1, 1, 2, 2]
    assert boxes[0].nonzero()[1].tolist() == [1, 2, 1, 2]
    assert np.argwhere(boxes[1]).tolist() == [[6, 7]]


def test_min_max_once_leaves_a_faint_map_below_1() -> None:
    faint = torch.tensor([[[0.0, 1e-8], [5e-9, 0.0]]])
    assert min_max(faint).max() < 0.1
    assert min_max(min_max(faint)).max() > 0.99
    assert min_max(torch.full((1, 2, 2), 3.0)).max() == 0


def test_arrays_of_other_shapes_are_named() -> None:
    attention, boxes, cam = drawn()
    with pytest.raises(UserError, match=r"attention \(41, 41\)"):
        refine(attention[:41, :41], boxes, cam)
