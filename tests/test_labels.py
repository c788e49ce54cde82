"""Affinity labels and pseudo labels: the published ones, and the rule pixel by pixel."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss.errors import UserError
from wsss.labels import affinity_label, pseudo_label

THRESHOLDS = {"fg_threshold": 0.4, "bg_threshold": 0.1}
#: what two builds of the published code may differ in
TOLERANCE = 0.001

NO_CRF = {"iterations": 0, "gt_prob": 0.7}
FLAT = np.zeros((1, 4, 3), np.uint8)


@pytest.mark.parametrize("name", ["2007_000032", "2007_000063", "2007_000129"])
def test_labels_equal_the_published_ones(shared: Path, name: str) -> None:
    golden = np.load(shared / "golden" / "crf.npz", allow_pickle=False)
    photograph = np.asarray(Image.open(shared / "voc12-mini" / "JPEGImages" / f"{name}.jpg"))
    cams = golden[f"{name}/cam"] / np.float32(255)
    saliency = golden[f"{name}/saliency"] / np.float32(255)
    keys = golden[f"{name}/keys"]
    found = {
        "affinity_label_t10": affinity_label(
            photograph, cams, saliency, keys, **THRESHOLDS, iterations=10, gt_prob=0.7
        ),
        "affinity_label_t1": affinity_label(
            photograph, cams, saliency, keys, **THRESHOLDS, iterations=1, gt_prob=0.9
        ),
        "pseudo_label": pseudo_label(photograph, cams, keys, threshold=0.3, iterations=1, gt_prob=0.9),
    }
    for kind, label in found.items():
        assert label.dtype == np.uint8
        assert (label != golden[f"{name}/{kind}"]).mean() <= TOLERANCE, kind


def test_the_rule_with_saliency() -> None:
    """Salient and a class; salient only; a class only (not salient, so background); neither."""
    cams = np.array([[[0.9, 0.3, 0.9, 0.3]], [[0.5, 0.2, 0.1, 0.0]]], np.float32)
    saliency = np.array([[0.2, 0.2, 0.1, 0.0]])
    label = affinity_label(FLAT, cams, saliency, np.array([0, 7, 3]), **THRESHOLDS, **NO_CRF)
    assert label.tolist() == [[7, 255, 0, 0]]


def test_the_rule_without_saliency() -> None:
    """By both thresholds; by the lenient one only; by none; a tie with a threshold is background."""
    cams = np.array([[[0.1, 0.3, 0.05, 0.1]], [[0.5, 0.2, 0.1, 0.05]]], np.float32)
    label = affinity_label(FLAT, cams, None, np.array([0, 7, 3]), **THRESHOLDS, **NO_CRF)
    assert label.tolist() == [[3, 255, 0, 0]]


def test_a_class_wins_where_the_second_crf_leaves_the_saliency(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every combination of saliency after the first CRF and class after the second."""
    salient, classes = np.array([[0, 0, 1, 1]]), np.array([[0, 1, 0, 1]])
    answers = iter([salient, classes])
    monkeypatch.setattr("wsss.labels.refine_labels", lambda *_, **__: next(answers))
    cams, saliency = np.zeros((1, 1, 4), np.float32), np.zeros((1, 4))
    label = affinity_label(FLAT, cams, saliency, np.array([0, 9]), **THRESHOLDS, **NO_CRF)
    assert label.tolist() == [[0, 9, 255, 9]]


def test_options_reach_both_crfs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def watched(image: np.ndarray, labels: np.ndarray, n_labels: int, **options: float) -> np.ndarray:
        seen.append((n_labels, options))
        return labels.astype(int)

    monkeypatch.setattr("wsss.labels.refine_labels", watched)
    cams, keys = np.zeros((2, 1, 4), np.float32), np.array([0, 7, 3])
    options = {"iterations": 4, "gt_prob": 0.8}
    affinity_label(FLAT, cams, np.zeros((1, 4)), keys, **THRESHOLDS, **options)
    affinity_label(FLAT, cams, None, keys, **THRESHOLDS, **options)
    pseudo_label(FLAT, cams, keys, threshold=0.3, **options)
    assert seen == [(n, options) for n in (2, 3, 3, 3, 3)]


def test_pseudo_labels_are_the_strongest_class_above_the_threshold() -> None:
    scores = np.array([[[0.3, 0.31, 0.9, 0.0]], [[0.1, 0.2, 0.95, 0.0]]], np.float32)
    label = pseudo_label(FLAT, scores, np.array([0, 20, 1]), threshold=0.3, **NO_CRF)
    assert label.tolist() == [[0, 20, 1, 0]]
    assert label.dtype == np.uint8


def test_images_without_classes_are_background() -> None:
    none, keys = np.zeros((0, 1, 4), np.float32), np.array([0])
    options = {"iterations": 10, "gt_prob": 0.7}
    assert not pseudo_label(FLAT, none, keys, threshold=0.3, **options).any()
    assert not affinity_label(FLAT, none, np.ones((1, 4)), keys, **THRESHOLDS, **options).any()
    assert not affinity_label(FLAT, none, None, keys, **THRESHOLDS, **options).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cams": np.zeros((1, 4, 1), np.float32)}, r"cams \(1, 4, 1\)"),
        ({"cams": np.zeros((1, 1, 4), np.uint8)}, "cams of uint8"),
        ({"cams": np.full((1, 1, 4), np.nan)}, "not finite"),
        ({"keys": np.array([0, 1, 2])}, r"keys \(3,\)"),
        ({"keys": np.array([1, 2])}, r"keys \[1, 2\]"),
        ({"keys": np.array([0, 255])}, r"keys \[0, 255\]"),
        ({"saliency": np.zeros((4, 1))}, r"saliency \(4, 1\)"),
        ({"saliency": np.full((1, 4), 200, np.uint8)}, "saliency: floats"),
    ],
)
def test_what_does_not_fit_is_named(change: dict, message: str) -> None:
    arguments = {
        "image": FLAT,
        "cams": np.zeros((1, 1, 4), np.float32),
        "saliency": np.zeros((1, 4)),
        "keys": np.array([0, 5]),
    }
    with pytest.raises(UserError, match=message):
        affinity_label(**(arguments | change), **THRESHOLDS, **NO_CRF)


def test_scores_may_be_refined_in_the_crf_s_place() -> None:
    """The refinement sees the background's score first; the rule is the same."""
    seen = []

    def inverted(image: np.ndarray, scores: np.ndarray, iterations: int) -> np.ndarray:
        seen.append((scores[:, 0].tolist(), iterations))
        return -scores

    cams = np.array([[[0.9, 0.3]], [[0.6, 0.2]]], np.float32)
    image, keys, options = FLAT[:, :2], np.array([0, 7, 3]), {"iterations": 5, "gt_prob": 0.7}
    found = pseudo_label(image, cams, keys, threshold=0.5, **options, refine=inverted)
    assert found.tolist() == [[0, 3]]
    assert [row for row, _ in seen] == [[[0.5, 0.5], *cams[:, 0].tolist()]] and seen[0][1] == 5
    label = affinity_label(image, cams, None, keys, **THRESHOLDS, **options, refine=inverted)
    assert label.tolist() == [[0, 3]]
    assert [row[0][0] for row, _ in seen[1:]] == pytest.approx([0.4, 0.1])
