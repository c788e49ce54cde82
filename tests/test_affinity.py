"""Pair affinities, pair labels and their loss: published values, and loops over pairs and pixels."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from wsss.losses.affinity import affinity_loss, pair_affinities, pair_labels
from wsss.losses.pairs import directions

RADIUS = 4


@pytest.fixture
def edge() -> Tensor:
    """Edge maps (2, 1, 7, 10) in [0, 1]."""
    return torch.rand(2, 1, 7, 10, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels() -> Tensor:
    """Label maps (2, 7, 10) of 0, 1, 2 and 255."""
    drawn = torch.randint(0, 4, (2, 7, 10), generator=torch.Generator().manual_seed(1))
    return torch.where(drawn == 3, 255, drawn)


def pixels_between(dy: int, dx: int) -> list[tuple[int, int]]:
    """Pixels of the box nearer than 1 to the segment, by the distance of a point to a line."""
    length = math.hypot(dy, dx)
    rows, columns = range(dy + 1), range(min(dx, 0), max(dx, 0) + 1)
    return [(y, x) for y in rows for x in columns if abs(dy * x - dx * y) / length < 1 - 1e-9]


def looped_affinities(edge: Tensor, radius: int) -> Tensor:
    """Every pair, pixel by pixel."""
    height, width = edge.shape[-2] - radius + 1, edge.shape[-1] - 2 * (radius - 1)
    found = torch.empty(len(edge), len(directions(radius)), height, width)
    for b, d, y, x in np.ndindex(*found.shape):
        step = directions(radius)[d]
        values = [edge[b, 0, y + i, x + radius - 1 + j] for i, j in pixels_between(step.dy, step.dx)]
        found[b, d, y, x] = 1 - max(values)
    return found


@pytest.fixture
def golden(shared: Path) -> np.lib.npyio.NpzFile:
    return np.load(shared / "golden" / "functions.npz", allow_pickle=False)


def test_directions_equal_the_published_ones(golden: np.lib.npyio.NpzFile) -> None:
    assert [[step.dy, step.dx] for step in directions(5)] == golden["affinity_directions"].tolist()


def test_counts_of_directions_and_sources() -> None:
    assert len(directions(5)) == 34
    assert len(directions(10)) == 152
    assert len({len(step.path) for step in directions(5)}) == 9
    assert len({len(step.path) for step in directions(10)}) == 20
    assert math.prod(pair_affinities(torch.zeros(1, 1, 128, 128), 10).shape[2:]) == 13_090


def test_paths_run_from_the_source_to_its_partner() -> None:
    for step in directions(10):
        assert step.path[0] == (0, 0)
        assert step.path[-1] == (step.dy, step.dx)
        assert sorted(step.path) == sorted(pixels_between(step.dy, step.dx))


def test_affinities_equal_the_published_ones(golden: np.lib.npyio.NpzFile) -> None:
    found = pair_affinities(torch.from_numpy(golden["affinity_edge"])[None], 5)
    np.testing.assert_allclose(found[0].flatten(1), golden["affinity_values"], rtol=1e-5)


def test_sources_equal_the_published_ones(golden: np.lib.npyio.NpzFile) -> None:
    """Along direction (0, 1) of a map that grows to the right, the pair's maximum is its right end."""
    height, width = golden["affinity_edge"].shape[1:]
    ramp = torch.arange(height * width, dtype=torch.double).view(1, 1, height, width) / (height * width)
    right_end = (1 - pair_affinities(ramp, 5)[0, 0].flatten()) * (height * width)
    assert (right_end - 1).round().long().tolist() == golden["affinity_sources"].tolist()


def test_pair_labels_equal_the_published_ones(golden: np.lib.npyio.NpzFile) -> None:
    found = pair_labels(torch.from_numpy(golden["affinity_labels"])[None], 5)
    for kind, published in zip(found, ("bg", "fg", "neg"), strict=True):
        np.testing.assert_array_equal(kind[0].flatten(1), golden[f"affinity_{published}"])


def test_affinities_are_the_loop_over_pixels(edge: Tensor) -> None:
    torch.testing.assert_close(pair_affinities(edge, RADIUS), looped_affinities(edge, RADIUS))


def test_pair_labels_are_the_loop_over_pairs(labels: Tensor) -> None:
    found = pair_labels(labels, RADIUS)
    for b, d, y, x in np.ndindex(*found.background.shape):
        step = directions(RADIUS)[d]
        one, other = labels[b, y, x + RADIUS - 1], labels[b, y + step.dy, x + RADIUS - 1 + step.dx]
        known = one != 255 and other != 255
        expected = (one == other == 0, known and one == other != 0, known and one != other)
        assert tuple(bool(kind[b, d, y, x]) for kind in found) == expected


def published_loss(affinities: Tensor, background: Tensor, foreground: Tensor, different: Tensor) -> Tensor:
    """The formula as it stands in the paper, with autograd's gradient."""
    near, far = -(affinities + 1e-5).log(), -(1 + 1e-5 - affinities).log()
    same = (background * near).sum() / (background.sum() + 1e-5) / 2
    same = same + (foreground * near).sum() / (foreground.sum() + 1e-5) / 2
    return same / 2 + (different * far).sum() / (different.sum() + 1e-5) / 2


def test_loss_and_its_gradient_are_the_formula(edge: Tensor, labels: Tensor) -> None:
    pairs = pair_labels(labels, RADIUS)
    ours, theirs = (pair_affinities(edge, RADIUS).requires_grad_() for _ in range(2))
    loss = affinity_loss(ours, pairs) * 3
    expected = published_loss(theirs, *pairs) * 3
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("only", [0, 1, 255])
def test_kinds_that_do_not_occur_cost_nothing(edge: Tensor, only: int) -> None:
    given = edge.clone().requires_grad_()
    affinities = pair_affinities(given, RADIUS)
    pairs = pair_labels(torch.full((2, 7, 10), only), RADIUS)
    loss = affinity_loss(affinities, pairs)
    expected = 0.0 if only == 255 else -(affinities + 1e-5).log().mean().item() / 4
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    loss.backward()
    assert given.grad is not None
    assert given.grad.isfinite().all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_certain_edges_are_finite(labels: Tensor, value: float) -> None:
    given = torch.full((2, 1, 7, 10), value, requires_grad=True)
    loss = affinity_loss(pair_affinities(given, RADIUS), pair_labels(labels, RADIUS))
    loss.backward()
    assert loss.isfinite()
    assert given.grad is not None
    assert given.grad.isfinite().all()


def test_gradient_of_affinities() -> None:
    logits = torch.randn(
        2, 1, 5, 8, dtype=torch.double, generator=torch.Generator().manual_seed(2), requires_grad=True
    )
    assert torch.autograd.gradcheck(lambda given: pair_affinities(given.sigmoid(), 3), logits)


def test_gradient_of_the_loss() -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(1, 1, 5, 8, dtype=torch.double, generator=generator, requires_grad=True)
    pairs = pair_labels(torch.randint(0, 3, (1, 5, 8), generator=generator), 3)
    assert torch.autograd.gradcheck(
        lambda given: affinity_loss(pair_affinities(given.sigmoid(), 3), pairs), logits
    )


def test_equal_maxima_give_the_gradient_once() -> None:
    flat = torch.full((1, 1, 7, 10), 0.5, requires_grad=True)
    affinities = pair_affinities(flat, RADIUS)
    affinities.sum().backward()
    assert flat.grad is not None
    assert flat.grad.sum().item() == pytest.approx(-affinities.numel())


def test_half_precision_is_raised(edge: Tensor) -> None:
    assert pair_affinities(edge.bfloat16(), RADIUS).dtype == torch.float32


def test_nothing_is_kept_without_gradients(edge: Tensor) -> None:
    with torch.no_grad():
        assert not pair_affinities(edge.requires_grad_(), RADIUS).requires_grad


@pytest.mark.parametrize(
    "shape", [(1, 1, RADIUS - 1, 20), (1, 1, 20, 2 * RADIUS - 2), (1, 2, 20, 20), (20, 20)]
)
def test_maps_that_hold_no_pair_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="map of"):
        pair_affinities(torch.zeros(shape), RADIUS)


def test_labels_of_another_size_are_refused(edge: Tensor) -> None:
    with pytest.raises(ValueError, match="sizes must agree"):
        affinity_loss(
            pair_affinities(edge, RADIUS), pair_labels(torch.zeros(2, 8, 10, dtype=torch.long), RADIUS)
        )


def test_radius_without_pairs_is_refused() -> None:
    with pytest.raises(ValueError, match="radius 1"):
        pair_affinities(torch.zeros(1, 1, 8, 8), 1)
