"""The random walk: published values, the dense matrix written out, and maps of any size and kind."""

from pathlib import Path

import numpy as np
import pytest
import torch

from wsss.errors import UserError
from wsss.inference.random_walks import random_walk
from wsss.store.walks import full_size

#: relative to the largest value; the published walk is in single precision
TOLERANCE = 1e-3
#: of a walk in double precision, which the series is cut for
EXACT = 1e-4


def drawn(height: int, width: int, classes: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """CAMs (classes, height, width) and an edge map with strong and weak edges, float32."""
    rng = np.random.default_rng(seed)
    return rng.random((classes, height, width), np.float32), rng.random((height, width), np.float32) ** 3


def transition(edge: np.ndarray, beta: float, radius: int) -> np.ndarray:
    """T as a dense matrix in double precision, pair by pair."""
    height, width = edge.shape
    affinity = np.eye(height * width)
    for y, x in np.ndindex(height, width):
        for v, u in np.ndindex(height, width):
            dy, dx = v - y, u - x
            if (dy, dx) == (0, 0) or dy * dy + dx * dx >= radius * radius:
                continue
            rows, columns = range(min(y, v), max(y, v) + 1), range(min(x, u), max(x, u) + 1)
            line = [
                edge[i, j]
                for i in rows
                for j in columns
                if (dy * (j - x) - dx * (i - y)) ** 2 < dy * dy + dx * dx
            ]
            affinity[y * width + x, v * width + u] = (1 - float(max(line))) ** beta
    return affinity / affinity.sum(0)


def dense_walk(cams: np.ndarray, edge: np.ndarray, beta: float, steps: int, radius: int) -> np.ndarray:
    walked = (cams * (1 - edge)).reshape(len(cams), -1).astype(np.float64)
    return (walked @ np.linalg.matrix_power(transition(edge, beta, radius), steps)).reshape(cams.shape)


def close(found: np.ndarray, expected: np.ndarray, tolerance: float = TOLERANCE) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_walk_equals_the_published_one(shared: Path) -> None:
    golden = np.load(shared / "golden" / "functions.npz", allow_pickle=False)
    close(random_walk(golden["walk_cam"], golden["walk_edge"][0]), golden["walk_out"])


@pytest.mark.parametrize("size", [(9, 11), (4, 13), (13, 3), (1, 12), (12, 1), (2, 2), (1, 1)])
def test_walk_equals_the_dense_matrix_at_any_size(size: tuple[int, int]) -> None:
    cams, edge = drawn(*size)
    close(random_walk(cams, edge), dense_walk(cams, edge, 10, 256, 5), EXACT)


@pytest.mark.parametrize(
    ("beta", "steps", "radius"),
    [(10, 0, 5), (10, 1, 5), (10, 2, 5), (10, 37, 5), (3, 256, 3), (0.5, 64, 2), (8, 1024, 5)],
)
def test_options(beta: float, steps: int, radius: int) -> None:
    cams, edge = drawn(7, 9)
    expected = dense_walk(cams, edge, beta, steps, radius)
    close(random_walk(cams, edge, beta=beta, steps=steps, radius=radius), expected, EXACT)


def test_extreme_edges() -> None:
    """No edge at all, edges everywhere, and a wall with certain edges between two rooms."""
    cams, _ = drawn(8, 9)
    wall = np.zeros((8, 9), np.float32)
    wall[:, 4] = 1
    for edge in (np.zeros_like(wall), np.ones_like(wall), wall):
        close(random_walk(cams, edge), dense_walk(cams, edge, 10, 256, 5), EXACT)
    cams[:, :, :4] = 0
    assert not random_walk(cams, wall)[:, :, :4].any()


def test_a_constant_stays_where_nothing_holds_it_back() -> None:
    cams = np.full((1, 20, 30), 0.7, np.float32)
    np.testing.assert_allclose(random_walk(cams, np.zeros((20, 30), np.float32)), cams, rtol=1e-5)


def test_results_stay_within_the_range_they_began_with() -> None:
    cams, edge = drawn(30, 40)
    start = cams * (1 - edge)
    walked = random_walk(cams, edge)
    assert (walked >= start.min((1, 2), keepdims=True) * (1 - 1e-6)).all()
    assert (walked <= start.max((1, 2), keepdims=True) * (1 + 1e-6)).all()


def test_zero_cams_stay_zero() -> None:
    cams, edge = drawn(12, 14, classes=3)
    cams[1] = 0
    walked = random_walk(cams, edge)
    assert not walked[1].any()
    assert walked[0].any()
    assert np.isfinite(walked).all()


def test_no_classes_give_no_maps() -> None:
    _, edge = drawn(12, 14)
    assert random_walk(np.zeros((0, 12, 14), np.float32), edge).shape == (0, 12, 14)


def test_kinds_of_arrays() -> None:
    """NumPy gives NumPy, torch torch; read-only, double and half arrays are taken; results are float32."""
    cams, edge = drawn(12, 14)
    expected = random_walk(cams, edge)
    assert isinstance(expected, np.ndarray)
    assert expected.dtype == np.float32
    tensor = random_walk(torch.from_numpy(cams), torch.from_numpy(edge).requires_grad_())
    assert isinstance(tensor, torch.Tensor)
    assert not tensor.requires_grad
    np.testing.assert_array_equal(tensor, expected)
    np.testing.assert_allclose(random_walk(cams.astype(float), edge.astype(float)), expected, rtol=1e-6)
    half = random_walk(torch.from_numpy(cams).half(), torch.from_numpy(edge).half())
    assert half.dtype == torch.float32
    frozen = cams.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(random_walk(frozen, edge[::-1][::-1]), expected)


def test_arguments_are_left_alone() -> None:
    cams, edge = drawn(12, 14)
    before = cams.copy(), edge.copy()
    random_walk(cams, edge)
    np.testing.assert_array_equal(cams, before[0])
    np.testing.assert_array_equal(edge, before[1])


def test_a_padded_batch_equals_its_images() -> None:
    batch_cams, batch_edge = torch.zeros(3, 2, 15, 16), torch.ones(3, 15, 16)
    sizes = [(15, 16), (9, 16), (11, 7)]
    images = [drawn(*size, seed=seed) for seed, size in enumerate(sizes)]
    for i, ((cams, edge), (height, width)) in enumerate(zip(images, sizes, strict=True)):
        batch_cams[i, :, :height, :width] = torch.from_numpy(cams)
        batch_edge[i, :height, :width] = torch.from_numpy(edge)
    walked = random_walk(batch_cams, batch_edge)
    for i, ((cams, edge), (height, width)) in enumerate(zip(images, sizes, strict=True)):
        close(walked[i, :, :height, :width].numpy(), random_walk(cams, edge), 1e-5)
        assert not walked[i, :, height:].any()
        assert not walked[i, :, :, width:].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edge": np.zeros((6, 5), np.float32)}, r"cams \(1, 5, 6\) and edge \(6, 5\)"),
        ({"cams": np.zeros((5, 6), np.float32)}, r"\(K, h, w\)"),
        ({"cams": np.zeros((1, 0, 6), np.float32), "edge": np.zeros((0, 6), np.float32)}, "no pixels"),
        ({"edge": np.full((5, 6), -3, np.float32)}, "apply the sigmoid"),
        ({"edge": np.full((5, 6), np.nan, np.float32)}, "apply the sigmoid"),
        ({"cams": np.full((1, 5, 6), np.nan, np.float32)}, "not finite"),
        ({"beta": 0}, "beta 0"),
        ({"steps": -1}, "steps -1"),
        ({"radius": 1}, "radius 1"),
    ],
)
def test_what_cannot_be_walked_is_named(change: dict, message: str) -> None:
    arguments = {"cams": np.zeros((1, 5, 6), np.float32), "edge": np.zeros((5, 6), np.float32)}
    with pytest.raises(UserError, match=message):
        random_walk(**(arguments | change))


def test_full_size_upsamples_crops_and_normalizes_over_all_classes() -> None:
    walk = torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(0))
    found = full_size(walk, (14, 17))
    large = torch.nn.functional.interpolate(walk[None], (16, 20), mode="bilinear")[0, :, :14, :17]
    torch.testing.assert_close(found, large / large.max())
    np.testing.assert_array_equal(full_size(walk.numpy(), (14, 17)), found)


def test_full_size_of_nothing_is_nothing() -> None:
    assert not full_size(torch.zeros(2, 4, 5), (14, 17)).any()
    assert full_size(torch.zeros(0, 4, 5), (14, 17)).shape == (0, 14, 17)
