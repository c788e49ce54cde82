"""The dense CRF against the published values, against a mean field written out, and with odd arrays."""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss.crf import (
    DEEPLAB_KERNELS,
    LABEL_KERNELS,
    Field,
    Kernels,
    build,
    label_marginals,
    mean_field,
    native,
    refine_deeplab,
    refine_labels,
    refine_mixed,
)
from wsss.errors import UserError

SIZE = (12, 10)


@pytest.fixture
def image() -> np.ndarray:
    """Two plain halves of different color, with a little noise."""
    rng = np.random.default_rng(0)
    halves = np.where(np.arange(SIZE[1]) < 5, 40, 200)[None, :, None]
    return (halves + rng.integers(0, 9, (*SIZE, 3))).astype(np.uint8)


@pytest.fixture
def labels() -> np.ndarray:
    """Label 1 on the right half, with some pixels wrong."""
    found = np.broadcast_to(np.arange(SIZE[1]) >= 5, SIZE).astype(np.int64)
    return np.where(np.random.default_rng(1).random(SIZE) < 0.1, 1 - found, found)


def written_out(image: np.ndarray, unary: np.ndarray, kernels: Kernels, iterations: int) -> np.ndarray:
    """Mean field with the full matrices of both kernels."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].reshape(2, -1).astype(float)
    color = image.reshape(-1, 3).astype(float)
    position = np.stack([y, x], 1)
    features = [
        (position / kernels.position_sxy, kernels.position_weight),
        (np.hstack([position / kernels.color_sxy, color / kernels.color_srgb]), kernels.color_weight),
    ]
    matrix = np.zeros((height * width, height * width))
    for feature, weight in features:
        kernel = np.exp(-0.5 * ((feature[:, None] - feature[None]) ** 2).sum(-1))
        degree = kernel.sum(1)
        matrix += weight * kernel / np.sqrt(degree[:, None] * degree[None])
    energy = -unary.reshape(len(unary), -1)

    def softmax(logits: np.ndarray) -> np.ndarray:
        raised = np.exp(logits - logits.max(0))
        return raised / raised.sum(0)

    marginals = softmax(energy)
    for _ in range(iterations):
        marginals = softmax(energy + marginals @ matrix)
    return marginals.reshape(unary.shape)


@pytest.mark.parametrize("kernels", [LABEL_KERNELS, DEEPLAB_KERNELS], ids=["labels", "deeplab"])
def test_mean_field_follows_its_formula(image: np.ndarray, kernels: Kernels) -> None:
    """The package filters on a lattice, an approximation, so this holds to a few percent only."""
    unary = np.random.default_rng(2).random((3, *SIZE)).astype(np.float32)
    np.testing.assert_allclose(
        mean_field(image, unary, kernels, 1), written_out(image, unary, kernels, 1), atol=0.06
    )


def test_marginals_equal_the_published_ones(shared: Path) -> None:
    golden = np.load(shared / "golden" / "crf.npz", allow_pickle=False)
    name = "2007_000032"
    photograph = np.asarray(Image.open(shared / "voc12-mini" / "JPEGImages" / f"{name}.jpg"))
    cams = golden[f"{name}/cam"] / np.float32(255)
    scores = np.concatenate([np.full((1, *cams.shape[1:]), 0.3, np.float32), cams])
    marginals = label_marginals(photograph, scores.argmax(0), len(scores), iterations=1, gt_prob=0.9)
    np.testing.assert_allclose(marginals[:, ::8, ::8], golden[f"{name}/pseudo_label_q"], atol=1e-4)


def test_labels_follow_the_colors(image: np.ndarray, labels: np.ndarray) -> None:
    refined = refine_labels(image, labels, 2, iterations=10, gt_prob=0.7)
    np.testing.assert_array_equal(refined, np.broadcast_to(np.arange(SIZE[1]) >= 5, SIZE))
    assert refined.dtype == labels.dtype


def test_no_iteration_returns_a_copy_of_the_labels(image: np.ndarray, labels: np.ndarray) -> None:
    refined = refine_labels(image, labels, 2, iterations=0, gt_prob=0.7)
    np.testing.assert_array_equal(refined, labels)
    assert not np.shares_memory(refined, labels)


def test_label_probabilities_before_the_first_iteration(image: np.ndarray) -> None:
    labels = np.arange(120).reshape(SIZE) % 3
    marginals = label_marginals(image, labels, 3, iterations=0, gt_prob=0.8)
    expected = np.where(labels == np.arange(3)[:, None, None], 0.8, 0.1)
    np.testing.assert_allclose(marginals, expected, rtol=1e-5)


def test_odd_arrays_give_the_same_labels(image: np.ndarray, labels: np.ndarray) -> None:
    """Read-only, of another layout, of another integer type."""
    expected = refine_labels(image, labels, 2, iterations=2, gt_prob=0.7)
    frozen = image.copy()
    frozen.flags.writeable = False
    turned = np.asfortranarray(image)
    backwards = np.ascontiguousarray(image[..., ::-1])[..., ::-1]
    for photograph in (frozen, turned, backwards):
        for kind in (bool, np.uint8, np.int32, np.uint64, ">i4"):
            given = labels.astype(kind)
            given.flags.writeable = False
            found = refine_labels(photograph, given, 2, iterations=2, gt_prob=0.7)
            np.testing.assert_array_equal(found, expected)
            assert found.flags.writeable


def test_arguments_are_left_alone(image: np.ndarray, labels: np.ndarray) -> None:
    before = image.copy(), labels.copy()
    refine_labels(image, labels, 2, iterations=3, gt_prob=0.7)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(labels, before[1])


def test_one_label_leaves_nothing_to_decide(image: np.ndarray) -> None:
    nothing = np.zeros(SIZE, np.uint8)
    np.testing.assert_array_equal(refine_labels(image, nothing, 1, iterations=10, gt_prob=0.7), nothing)


def test_a_single_pixel_keeps_its_label() -> None:
    pixel = np.full((1, 1, 3), 7, np.uint8)
    assert refine_labels(pixel, np.array([[1]]), 3, iterations=5, gt_prob=0.7).tolist() == [[1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.zeros(SIZE, np.uint8)}, r"image \(12, 10\) of uint8"),
        ({"image": np.zeros((*SIZE, 3))}, "of float64"),
        ({"image": np.zeros((0, 10, 3), np.uint8), "labels": np.zeros((0, 10), int)}, "no pixels"),
        ({"labels": np.zeros((10, 12), int)}, r"labels \(10, 12\)"),
        ({"labels": np.zeros(SIZE)}, "labels .* of float64"),
        ({"labels": np.full(SIZE, 255)}, "labels from 255 to 255: 0 to 1"),
        ({"labels": np.full(SIZE, -1)}, "labels from -1"),
        ({"n_labels": 0}, "n_labels 0"),
        ({"iterations": -1}, "iterations -1"),
        ({"gt_prob": 1.0}, "gt_prob 1.0"),
        ({"gt_prob": 0.0}, "gt_prob 0.0"),
        ({"gt_prob": float("nan")}, "gt_prob nan"),
    ],
)
def test_what_cannot_be_is_named(image: np.ndarray, change: dict, message: str) -> None:
    arguments = {
        "image": image,
        "labels": np.zeros(SIZE, int),
        "n_labels": 2,
        "iterations": 1,
        "gt_prob": 0.7,
    }
    with pytest.raises(UserError, match=message):
        refine_labels(**(arguments | change))


def test_soft_scores_follow_the_colors(image: np.ndarray, labels: np.ndarray) -> None:
    given = np.where(labels == np.arange(2)[:, None, None], 0.7, 0.3).astype(np.float32)
    right = np.broadcast_to(np.arange(SIZE[1]) >= 5, SIZE)
    for refined in (
        refine_mixed(image, given, iterations=10, gt_prob=0.9),
        refine_deeplab(image, given, iterations=10),
    ):
        np.testing.assert_array_equal(refined.argmax(0), right)
        np.testing.assert_allclose(refined.sum(0), 1, rtol=1e-5)


def test_soft_scores_are_the_published_energies(image: np.ndarray) -> None:
    """Zeros are cut at 1e-5, and the mixture gives every label its share."""
    given = np.random.default_rng(3).dirichlet([0.1] * 4, SIZE).transpose(2, 0, 1).astype(np.float32)
    given[:, 0, 0] = [1, 0, 0, 0]
    plain = mean_field(image, -np.log(given.clip(1e-5, 1)), DEEPLAB_KERNELS, 2)
    np.testing.assert_array_equal(refine_deeplab(image, given, iterations=2), plain)
    halved = Kernels(1.5, 3, 25, 5, 10)
    mixed = mean_field(image, -np.log(0.7 * given + 0.3 / 4), halved, 2)
    found = refine_mixed(image, given, iterations=2, gt_prob=0.7, scale=2)
    np.testing.assert_allclose(found, mixed, atol=1e-6)


def test_soft_scores_without_iterations_stay(image: np.ndarray) -> None:
    given = np.random.default_rng(3).dirichlet([1, 1], SIZE).transpose(2, 0, 1)
    np.testing.assert_allclose(refine_deeplab(image, given, iterations=0), given, rtol=1e-6)
    np.testing.assert_allclose(refine_mixed(image, given, iterations=0, gt_prob=0.7), given, rtol=1e-6)


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (np.full((2, *SIZE), 3.0), "outside"),
        (np.full((2, *SIZE), np.nan), "outside"),
        (np.zeros((2, *SIZE), int), "of int64"),
        (np.zeros((0, *SIZE)), "there are none"),
        (np.full((2, 3, 3), 0.5), "sizes must agree"),
    ],
)
def test_wrong_probabilities_are_named(image: np.ndarray, probabilities: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message):
        refine_deeplab(image, probabilities, iterations=1)


def test_runs_in_one_thread(image: np.ndarray, labels: np.ndarray) -> None:
    """Shards run one process a core; a CRF that took more would only get in the others' way."""
    refine_labels(image, labels, 2, iterations=1, gt_prob=0.7)
    before = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0
    refine_labels(image, labels, 2, iterations=5, gt_prob=0.7)
    after = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0
    assert after <= before


def noisy(size: tuple[int, int], labels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A noisy image, which has the most vertices, and energies."""
    rng = np.random.default_rng(seed)
    unary = -np.log(rng.dirichlet(np.ones(labels) * 0.3, size).transpose(2, 0, 1).clip(1e-5, 1))
    return rng.integers(0, 256, (*size, 3), np.uint8), unary.astype(np.float32)


@pytest.mark.parametrize("labels", [2, 3, 5, 21, 40])
def test_results_do_not_depend_on_the_threads(labels: int) -> None:
    picture, unary = noisy((37, 53), labels)
    one = Field(picture).infer(unary, LABEL_KERNELS, 3)
    for threads in (2, 3, 64):
        several = Field(picture, threads=threads).infer(unary, LABEL_KERNELS, 3)
        np.testing.assert_array_equal(several, one)


def test_inferences_of_a_field_are_those_of_their_own() -> None:
    """Other labels, iterations and kernels on the same field, and the first again."""
    picture, unary = noisy((30, 41), 6)
    field = Field(picture)
    first = field.infer(unary, LABEL_KERNELS, 4)
    others = ((2, LABEL_KERNELS, 1), (4, DEEPLAB_KERNELS, 2), (3, Kernels(2, 1, 9, 9, 2), 5))
    for count, kernels, steps in others:
        np.testing.assert_array_equal(
            field.infer(unary[:count], kernels, steps), mean_field(picture, unary[:count], kernels, steps)
        )
    np.testing.assert_array_equal(field.infer(unary, LABEL_KERNELS, 4), first)


def test_a_field_serves_several_threads_at_once() -> None:
    picture, unary = noisy((60, 80), 4)
    expected = [mean_field(picture, unary[:n], LABEL_KERNELS, 3) for n in (2, 3, 4)]
    field = Field(picture)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda n: field.infer(unary[:n], LABEL_KERNELS, 3), (2, 3, 4) * 4))
    for i, marginals in enumerate(found):
        np.testing.assert_array_equal(marginals, expected[i % 3])


@pytest.mark.parametrize("level", build.LEVELS)
def test_builds_give_the_same_numbers(level: str, tmp_path: Path) -> None:
    """Whatever the processor, to the bit: each build in a process of its own."""
    if build.LEVELS.index(level) > native.library().crf_processor() or not build.path(level).exists():
        pytest.skip(f"no {level} on this processor, or not built")
    picture, unary = noisy((31, 45), 9)
    np.savez(tmp_path / "problem.npz", picture=picture, unary=unary)
    program = (
        "import sys, numpy as np; from wsss.crf import build, native, Field, LABEL_KERNELS\n"
        f"native.library = lambda opened=native._opened({level!r}): opened\n"
        "z = np.load(sys.argv[1] + '/problem.npz')\n"
        "np.save(sys.argv[1] + '/out.npy', Field(z['picture']).infer(z['unary'], LABEL_KERNELS, 5))\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    np.testing.assert_array_equal(
        np.load(tmp_path / "out.npy"), Field(picture).infer(unary, LABEL_KERNELS, 5)
    )


@pytest.mark.parametrize("scale", [1, 0.1])
def test_labels_that_share_energies_are_one_with_copies(scale: float) -> None:
    picture, unary = noisy((20, 30), 6)
    unary[3:] = unary[3] * scale + 2
    copied = mean_field(picture, unary, LABEL_KERNELS, 4)
    once = Field(picture).infer(unary[:4], LABEL_KERNELS, 4, copies=3)
    np.testing.assert_allclose(once, copied[:4], atol=2e-5)
    np.testing.assert_allclose(copied[4:], copied[3:5], atol=1e-6)


def test_negligible_labels_change_nothing() -> None:
    """Twenty labels, of which sixteen are all but nowhere, against the inference with all."""
    picture, unary = noisy((40, 50), 4)
    rng = np.random.default_rng(5)
    given = np.concatenate([np.exp(-unary), 1e-6 * rng.random((16, 40, 50))]).astype(np.float32)
    given = given[rng.permutation(20)] / given.sum(0)
    found = refine_deeplab(picture, given, iterations=10)
    everything = mean_field(picture, -np.log(given.clip(1e-5, 1)), DEEPLAB_KERNELS, 10)
    np.testing.assert_array_equal(found.argmax(0), everything.argmax(0))
    np.testing.assert_allclose(found, everything, atol=1e-3)  # ten steps on noise
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unary": np.full((2, *SIZE), np.nan, np.float32)}, "not finite"),
        ({"unary": np.full((2, *SIZE), np.inf, np.float32)}, "not finite"),
        ({"unary": np.full((2, *SIZE), 1e300)}, "not finite"),
        ({"unary": np.zeros((0, *SIZE), np.float32)}, "no labels"),
        ({"unary": np.zeros((2, *SIZE), int)}, "of int64"),
        ({"unary": np.zeros(SIZE, np.float32)}, r"unary \(12, 10\)"),
        ({"unary": np.zeros((2, 10, 12), np.float32)}, "sizes must agree"),
        ({"kernels": Kernels(0, 3, 50, 5, 10)}, "widths are positive"),
        ({"kernels": Kernels(3, 3, math.nan, 5, 10)}, "widths are positive"),
        ({"kernels": Kernels(3, -1, 50, 5, 10)}, "weights are numbers from 0"),
        ({"kernels": Kernels(3, 3, 1e-9, 1e-9, 10)}, "too large for kernels as narrow"),
        ({"iterations": -1}, "iterations -1"),
    ],
)
def test_what_cannot_be_inferred_is_named(image: np.ndarray, change: dict, message: str) -> None:
    arguments = {"unary": np.zeros((2, *SIZE), np.float32), "kernels": LABEL_KERNELS, "iterations": 1}
    with pytest.raises(UserError, match=message):
        Field(image).infer(**(arguments | change))


def test_a_huge_image_is_refused_before_memory_is_asked_for() -> None:
    with pytest.raises(UserError, match="at most"):
        Field(np.broadcast_to(np.zeros(3, np.uint8), (30_000, 30_000, 3)))


def test_a_library_of_other_sources_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "digest", lambda: "other")
    with pytest.raises(UserError, match=r"other sources.*python wsss/crf/build\.py"):
        native.library.__wrapped__()


def test_without_a_library_the_error_says_how_to_build_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WSSS_CRF_LIBRARIES", str(tmp_path))
    with pytest.raises(UserError, match=r"cannot be loaded.*python wsss/crf/build\.py"):
        native.library.__wrapped__()


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "")
    with pytest.raises(build.BuildError, match="apt-get install g"):
        build.build(tmp_path)


@pytest.mark.parametrize("labels", [2, 3, 4])
def test_an_even_share_of_the_labels_is_refused(labels: int) -> None:
    """At or below it, the unary energy prefers the other labels."""
    image, start = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)
    for gt_prob in (1 / labels, 0.9 / labels):
        with pytest.raises(UserError, match=rf"must be above {1 / labels:.4g} \(1/labels, of {labels}\)"):
            refine_labels(image, start, labels, iterations=1, gt_prob=gt_prob)
    assert not refine_labels(image, start, labels, iterations=1, gt_prob=1.01 / labels).any()
