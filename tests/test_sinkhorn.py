"""Optimal transport between pixels and classes: equal to DHR's, with the marginals that define it."""

from pathlib import Path

import numpy as np
import pytest

from wsss.errors import UserError
from wsss.inference import sinkhorn


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "sinkhorn.npz") as file:
        return dict(file)


@pytest.mark.parametrize("case", ["a", "b", "c", "d"])
def test_plans_equal_the_published_ones(golden: dict[str, np.ndarray], case: str) -> None:
    maps = golden["d_sim"] if case == "d" else golden[f"{case}_maps"]
    plan, scaled = sinkhorn(maps)
    largest = golden[f"{case}_plan"].max()
    np.testing.assert_allclose(plan / largest, golden[f"{case}_plan"] / largest, rtol=0, atol=2e-6)
    np.testing.assert_allclose(scaled, golden[f"{case}_scaled"], rtol=0, atol=2e-6)
    if case != "d":
        rebalanced = maps * scaled.T.reshape(maps.shape)
        np.testing.assert_allclose(rebalanced, golden[f"{case}_rebalanced"], rtol=0, atol=2e-6)


def test_the_floor_holds_back_large_maps(golden: dict[str, np.ndarray]) -> None:
    across = np.tile(np.linspace(0, 1, 400, dtype=np.float32), (320, 1))
    down = np.tile(np.linspace(0, 1, 320, dtype=np.float32)[:, None], (1, 400))
    scaled = sinkhorn(np.stack([across, down])).scaled.T.reshape(2, 320, 400)
    np.testing.assert_allclose(scaled[:, ::16, ::16], golden["f_scaled"], rtol=0, atol=2e-6)


def test_columns_sum_to_their_share_and_converged_rows_too() -> None:
    maps = np.random.default_rng(0).random((3, 6, 5))
    plan = sinkhorn(maps).plan
    np.testing.assert_allclose(plan.sum(0), 1 / 3, rtol=1e-5)
    converged = sinkhorn(maps, iterations=1000, tolerance=0).plan
    np.testing.assert_allclose(converged.sum(1), 1 / 30, rtol=1e-5)
    assert np.abs(plan - converged).max() > 1e-5  # the early stop is part of the result


def test_a_frequent_class_is_held_back() -> None:
    maps = np.stack([np.full((4, 4), 0.8), np.full((4, 4), 0.5)])
    maps[1, :2] = 0.75
    scaled = sinkhorn(maps).scaled.T.reshape(2, 4, 4)
    assert (maps[0] > maps[1]).all()
    assert (scaled[1, :2] > scaled[0, :2]).all()
    assert (scaled[0, 2:] > scaled[1, 2:]).all()


@pytest.mark.parametrize("maps", [np.zeros(4), np.zeros((2, 0, 3)), np.full((2, 2, 2), np.nan)])
def test_maps_without_a_plan_are_refused(maps: np.ndarray) -> None:
    with pytest.raises(UserError, match="maps"):
        sinkhorn(maps)
