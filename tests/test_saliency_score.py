"""MAE and F-measure as the field of salient object detection has them."""

import numpy as np
import pytest

from wsss.metrics import SaliencyScore


def images(count: int = 4) -> list[tuple[np.ndarray, np.ndarray]]:
    """8-bit saliency, and masks with an object and ignored pixels; the last shows none."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(count):
        mask = (
            rng.integers(0, 2, (9, 12 + i)).astype(np.uint8) if i + 1 < count else np.zeros((5, 5), np.uint8)
        )
        saliency = np.clip(rng.normal(90 + 60 * mask, 40), 0, 255).astype(np.uint8)
        mask[0, :3] = 255
        found.append((saliency, mask))
    return found


def scored(pairs: list[tuple[np.ndarray, np.ndarray]]) -> SaliencyScore:
    score = SaliencyScore()
    for saliency, mask in pairs:
        score.update(saliency, mask)
    return score


def test_scores_are_those_of_plain_loops() -> None:
    errors, curves = [], []
    for saliency, mask in images():
        seen = mask != 255
        values, true = saliency[seen] / 255, mask[seen]
        errors.append(np.abs(values - true).mean())
        if not true.any():
            continue
        curve = []
        for level in range(256):
            cut = saliency[seen] >= level
            right = (cut & (true == 1)).sum()
            curve.append((right / cut.sum() if cut.any() else 0.0, right / true.sum()))
        curves.append(curve)
    precision, recall = np.mean(curves, axis=0).T
    with np.errstate(invalid="ignore"):
        f = np.nan_to_num(1.3 * precision * recall / (0.3 * precision + recall))
    score = scored(images())
    assert score.mae() == pytest.approx(np.mean(errors))
    assert score.f_measure() == pytest.approx(f.max())
    assert (score.images, score.images_with_object) == (4, 3)


def test_merged_scores_are_one() -> None:
    whole, part = scored(images()), scored(images()[:2])
    part.merge(scored(images()[2:]))
    assert part.mae() == pytest.approx(whole.mae()) and part.f_measure() == pytest.approx(whole.f_measure())


def test_a_perfect_map_has_no_error() -> None:
    perfect = scored([(255 * (mask == 1).astype(np.uint8), mask) for _, mask in images()])
    assert perfect.mae() == 0 and perfect.f_measure() == 1


def test_nothing_scores_nothing() -> None:
    nothing = scored([(np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8))])
    assert nothing.images == 0 and np.isnan(nothing.mae()) and np.isnan(nothing.f_measure())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="must have one shape"):
        scored([(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))])
    with pytest.raises(ValueError, match="mask holds"):
        scored([(np.zeros((2, 2), np.uint8), np.full((2, 2), 7, np.uint8))])
