"""Votes of region masks: equal to the published votes, and what they do at their edges."""

from pathlib import Path

import numpy as np
import pytest

from wsss.errors import UserError
from wsss.inference import vote_sams, vote_sepl
from wsss.inference.regions import VoteRule, painting_order, region_scores

RULES: list[tuple[VoteRule, str]] = [
    ("max_iou", "max_iou"),
    ("max_iou_imp", "max_iou_imp"),
    ("max_iou_imp2", "max_iou_imp2"),
    ("fma", "fma_vote"),
]


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "regions.npz") as file:
        return dict(file)


@pytest.mark.parametrize("case", ["a", "b", "c"])
@pytest.mark.parametrize(("rule", "key"), RULES)
def test_votes_equal_the_published_ones(
    golden: dict[str, np.ndarray], case: str, rule: VoteRule, key: str
) -> None:
    labels, masks = golden[f"{case}_label"], golden[f"{case}_masks"]
    for order in (slice(None), slice(None, None, -1)):
        np.testing.assert_array_equal(vote_sepl(labels, masks[order], rule=rule), golden[f"{case}_{key}"])


@pytest.mark.parametrize("power", [0.6, 0.7, 1])
def test_sams_equals_the_published_seeds(golden: dict[str, np.ndarray], power: float) -> None:
    cam, fg, masks, level = (golden[f"sams_{name}"] for name in ("cam", "fg", "masks", "level"))
    scores = region_scores(cam, masks, power=power)
    np.testing.assert_allclose(scores, golden[f"sams{power}_score"], atol=2e-5)
    np.testing.assert_array_equal(painting_order(scores, level), golden[f"sams{power}_order"])
    seed = vote_sams(cam, fg, masks, level, power=power)
    np.testing.assert_array_equal(seed, golden[f"sams{power}_seed"])


def test_a_region_takes_the_class_of_most_of_its_pixels() -> None:
    labels = np.zeros((4, 6), np.uint8)
    labels[:, :2] = 5
    labels[0, 2] = 255
    masks = np.zeros((3, 4, 6), bool)
    masks[0, :, :3] = True  # 8 of its 12 pixels are class 5
    masks[1, :, 3:] = True  # background alone
    expected = np.where(masks[0], 5, 0)
    np.testing.assert_array_equal(vote_sepl(labels, masks), expected)  # mask 2 is empty


def test_exactly_half_is_a_majority_for_fma_only() -> None:
    labels = np.array([[3, 3, 0, 0, 3, 3, 3, 3]], np.uint8)
    masks = np.array([[[True, True, True, True, False, False, False, False]]])
    assert vote_sepl(labels, masks, rule="max_iou").max() == 0
    assert vote_sepl(labels, masks, rule="fma").tolist() == [[3, 3, 3, 3, 3, 3, 3, 3]]


def test_without_regions_votes_keep_the_labels_but_ignored_pixels() -> None:
    labels = np.array([[0, 7, 255], [7, 7, 0]], np.uint8)
    none = np.zeros((0, 2, 3), bool)
    assert vote_sepl(labels, none).tolist() == [[0, 7, 0], [7, 7, 0]]
    assert vote_sepl(labels, none, rule="max_iou").max() == 0
    assert vote_sams(np.ones((1, 2, 3)), np.array([6]), none, np.zeros(0)).max() == 0


def test_sams_paints_larger_regions_last() -> None:
    cam = np.zeros((1, 2, 4), np.float32)
    cam[0, :, :2] = 1
    masks = np.zeros((3, 2, 4), bool)
    masks[0, :, :2], masks[1, :, 2:], masks[2] = True, True, True
    assert vote_sams(cam, np.array([4]), masks, np.zeros(3)).tolist() == [[5, 5, 0, 0]] * 2
    # the whole image, at half of the best score, ties with the background, which comes first
    assert vote_sams(cam, np.array([4]), masks, np.array([0, 0, 2])).max() == 0


def test_sams_without_classes_is_background() -> None:
    masks = np.ones((2, 3, 3), bool)
    seed = vote_sams(np.zeros((0, 3, 3)), np.zeros(0, int), masks, np.zeros(2))
    assert seed.shape == (3, 3)
    assert seed.max() == 0


@pytest.mark.parametrize(
    ("labels", "masks", "says"),
    [
        (np.zeros((3, 4)), np.zeros((1, 3, 4), bool), "integers"),
        (np.zeros((3, 4), np.uint8), np.zeros((1, 3, 4), np.uint8), "bool"),
        (np.zeros((3, 4), np.uint8), np.zeros((1, 4, 4), bool), r"\(3, 4\)"),
    ],
)
def test_arrays_that_cannot_vote_are_named(labels: np.ndarray, masks: np.ndarray, says: str) -> None:
    with pytest.raises(UserError, match=says):
        vote_sepl(labels, masks)
