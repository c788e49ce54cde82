"""Confusion matrices against counting by hand, and the threshold sweep against the plain loop."""

import numpy as np
import pytest
import torch

from wsss.metrics import ConfusionMatrix, ThresholdSweep

THRESHOLDS = np.arange(0.05, 0.81, 0.05)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def plain_loop(thresholds, images, num_classes):
    """Argmax and count, once per threshold and image."""
    matrices = []
    for threshold in thresholds:
        counts = np.zeros((num_classes, num_classes), np.int64)
        for scores, keys, mask in images:
            background = np.full((1, *scores.shape[1:]), threshold, scores.dtype)
            prediction = np.asarray(keys)[np.argmax(np.concatenate([background, scores]), axis=0)]
            valid = mask != 255
            np.add.at(counts, (mask[valid].astype(int), prediction[valid]), 1)
        matrices.append(counts)
    return matrices


def swept(thresholds, images, num_classes):
    sweep = ThresholdSweep(num_classes, thresholds)
    for image in images:
        sweep.update(*image)
    return sweep


def random_image(rng, num_classes, maps, size=(40, 30), dtype=np.float32):
    mask = rng.integers(0, num_classes, size).astype(np.uint8)
    mask[rng.random(size) < 0.1] = 255
    keys = [0, *sorted(rng.choice(np.arange(1, num_classes), maps, replace=False).tolist())]
    return rng.random((maps, *size)).astype(dtype), np.array(keys), mask


def assert_equal_to_loop(thresholds, images, num_classes):
    sweep = swept(thresholds, images, num_classes)
    expected = plain_loop(thresholds, images, num_classes)
    for i, counts in enumerate(expected):
        np.testing.assert_array_equal(sweep.confusion(i).counts, counts)
    np.testing.assert_array_equal(
        sweep.miou(), [ConfusionMatrix(num_classes, counts).miou() for counts in expected]
    )


def test_confusion_matrix_by_hand():
    matrix = ConfusionMatrix(4)
    mask = np.array([[0, 0, 1, 1], [2, 2, 255, 255]])
    prediction = np.array([[0, 1, 1, 1], [2, 0, 2, 1]])
    matrix.update(prediction, mask)
    np.testing.assert_array_equal(matrix.counts, [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
    assert matrix.counts.dtype == np.int64
    np.testing.assert_allclose(matrix.iou(), [1 / 3, 2 / 3, 1 / 2, np.nan])
    assert matrix.miou() == pytest.approx((1 / 3 + 2 / 3 + 1 / 2) / 3)
    assert matrix.foreground_miou() == pytest.approx((2 / 3 + 1 / 2) / 2)
    np.testing.assert_allclose(matrix.precision(), [1 / 2, 2 / 3, 1, np.nan])
    np.testing.assert_allclose(matrix.recall(), [1 / 2, 1, 1 / 2, np.nan])
    assert matrix.fp_rate() == pytest.approx((1 / 3 + 0) / 2)
    assert matrix.fn_rate() == pytest.approx((0 + 1 / 2) / 2)


def test_rates_and_iou_of_the_foreground_sum_to_one(rng):
    matrix = ConfusionMatrix(5)
    matrix.update(rng.integers(0, 5, (50, 50)), rng.integers(0, 5, (50, 50)))
    assert matrix.foreground_miou() + matrix.fp_rate() + matrix.fn_rate() == pytest.approx(1)


def test_perfect_prediction_is_one_and_nothing_is_nan():
    matrix = ConfusionMatrix(3)
    assert np.isnan(matrix.miou())
    mask = np.array([[0, 1, 2, 255]], np.uint8)
    matrix.update(np.array([[0, 1, 2, 0]], np.uint8), mask)
    assert matrix.miou() == 1
    assert matrix.summary() == {
        "miou": 1, "foreground_miou": 1, "fp_rate": 0, "fn_rate": 0, "precision": 1, "recall": 1
    }  # fmt: skip


def test_matrices_of_two_processes_add_up(rng):
    first, second, both = ConfusionMatrix(3), ConfusionMatrix(3), ConfusionMatrix(3)
    for matrix in (first, second):
        prediction, mask = rng.integers(0, 3, (2, 9, 9))
        matrix.update(prediction, mask)
        both.update(torch.from_numpy(prediction), torch.from_numpy(mask))
    np.testing.assert_array_equal((first + second).counts, both.counts)
    first.merge(second)
    np.testing.assert_array_equal(first.counts, both.counts)
    with pytest.raises(ValueError, match="3 and 4 classes"):
        first.merge(ConfusionMatrix(4))


@pytest.mark.parametrize(
    ("prediction", "mask", "message"),
    [
        ([[3]], [[0]], r"prediction holds \[3\], allowed are 0..2"),
        ([[255]], [[255]], r"prediction holds \[255\]"),
        ([[-1]], [[0]], r"prediction must lie in 0..255, got -1"),
        ([[0]], [[3]], r"mask holds \[3\], allowed are 0..2 or 255"),
        ([[0]], [[0, 1]], r"\(1, 1\) and mask \(1, 2\)"),
        ([[0.5]], [[0]], "prediction must hold integers, got float64"),
    ],
)
def test_wrong_pixels_are_refused_and_not_counted(prediction, mask, message):
    matrix = ConfusionMatrix(3)
    with pytest.raises(ValueError, match=message):
        matrix.update(np.array(prediction), np.array(mask))
    assert matrix.counts.sum() == 0


@pytest.mark.parametrize("num_classes", [0, 256])
def test_num_classes_has_bounds(num_classes):
    with pytest.raises(ValueError, match="num_classes"):
        ConfusionMatrix(num_classes)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("maps", [0, 1, 2, 3, 7])
def test_sweep_equals_the_plain_loop(rng, maps, dtype):
    images = [random_image(rng, 9, maps, dtype=dtype) for _ in range(3)]
    if dtype == np.float16:  # compared as float32
        images = [(scores.astype(np.float32), keys, mask) for scores, keys, mask in images]
    assert_equal_to_loop(THRESHOLDS, images, 9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sweep_equals_the_plain_loop_on_ties(rng, dtype):
    """Scores equal to each other, to thresholds, one step beside them, zero, negative and large."""
    exact = THRESHOLDS.astype(dtype)
    values = np.concatenate(
        [
            exact,
            np.nextafter(exact, dtype(0)),
            np.nextafter(exact, dtype(1)),
            np.array([0, -0.0, -1, 1, 7], dtype),
        ]
    )
    images = []
    for maps in (1, 2, 3):
        _, keys, mask = random_image(rng, 6, maps)
        images.append((rng.choice(values, (maps, *mask.shape)), keys, mask))
    assert_equal_to_loop(THRESHOLDS, images, 6)


@pytest.mark.parametrize(
    "thresholds", [[0.3], [0.0], [-0.0, 0.0], [0.7, 0.2, 0.2, 0.5], np.linspace(0, 1, 400)]
)
def test_sweep_takes_any_thresholds_in_any_order(rng, thresholds):
    scores, keys, mask = random_image(rng, 4, 2)
    scores[:, ::3] = 0
    scores[:, 1::3] = np.float32(0.2)
    assert_equal_to_loop(thresholds, [(scores, keys, mask)], 4)


def test_sweep_takes_80_classes_and_views(rng):
    scores, keys, mask = random_image(rng, 81, 80, size=(60, 40))
    sweep = ThresholdSweep(81, THRESHOLDS)
    sweep.update(
        torch.from_numpy(scores)[:, ::2, ::2], torch.from_numpy(keys), mask[::2, ::2].astype(np.int64)
    )
    expected = plain_loop(THRESHOLDS[:1], [(scores[:, ::2, ::2], keys, mask[::2, ::2])], 81)
    np.testing.assert_array_equal(sweep.confusion(0).counts, expected[0])


def test_sweeps_merge_and_report(rng):
    images = [random_image(rng, 5, maps) for maps in (1, 2, 0)]
    whole = swept(THRESHOLDS, images, 5)
    parts = swept(THRESHOLDS, images[:1], 5) + swept(THRESHOLDS, images[1:], 5)
    np.testing.assert_array_equal(parts.miou(), whole.miou())
    assert whole.best() == int(np.argmax(whole.miou()))
    row = whole.curve()[whole.best()]
    assert row == {"threshold": THRESHOLDS[whole.best()]} | whole.confusion(whole.best()).summary()
    with pytest.raises(ValueError, match="different"):
        whole.merge(ThresholdSweep(5, [0.1]))
    with pytest.raises(ValueError, match="no pixel"):
        ThresholdSweep(5, [0.1]).best()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keys": [0, 1]}, "keys must be 0 and 2 different"),
        ({"keys": [1, 2, 3]}, "keys"),
        ({"keys": [0, 2, 2]}, "keys"),
        ({"keys": [0, 1, 5]}, "keys"),
        ({"mask": np.full((4, 4), 5)}, r"mask holds \[5\]"),
        ({"mask": np.zeros((4, 5), int)}, r"scores \(2, 4, 4\)"),
        ({"scores": np.full((2, 4, 4), np.nan, np.float32)}, "finite"),
        ({"scores": np.full((2, 4, 4), np.inf)}, "finite"),
    ],
)
def test_sweep_refuses_what_it_cannot_count(change, message):
    image = {
        "scores": np.zeros((2, 4, 4), np.float32),
        "keys": [0, 1, 2],
        "mask": np.zeros((4, 4), int),
    } | change
    sweep = ThresholdSweep(5, THRESHOLDS)
    with pytest.raises(ValueError, match=message):
        sweep.update(**image)
    assert np.isnan(sweep.miou()).all()


@pytest.mark.parametrize("thresholds", [[], [np.nan], [0.1, np.inf]])
def test_thresholds_must_be_finite_numbers(thresholds):
    with pytest.raises(ValueError, match="thresholds"):
        ThresholdSweep(5, thresholds)
