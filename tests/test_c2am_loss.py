"""C2AM's contrastive losses and the hints: published values, loops written out, and the edge cases."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from wsss.losses.c2am import c2am_loss, hint_loss, sim_max, sim_min


@pytest.fixture
def features() -> tuple[Tensor, Tensor]:
    """Foreground and background features (5, 8)."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 8, generator=generator), torch.randn(5, 8, generator=generator)


def cosine(u: Tensor, v: Tensor) -> float:
    return min(max(float(u @ v / (u.norm() * v.norm())), 0.0005), 0.9995)


def test_losses_equal_the_published_ones(shared: Path) -> None:
    golden = np.load(shared / "golden" / "functions.npz", allow_pickle=False)
    foreground, background = (torch.from_numpy(golden[f"c2am_{kind}"]) for kind in ("fg", "bg"))
    parts = [float(golden[f"c2am_{part}"]) for part in ("simmax_fg", "simmin", "simmax_bg")]
    found = [sim_max(foreground), sim_min(background, foreground), sim_max(background)]
    assert [part.item() for part in found] == pytest.approx(parts, rel=1e-5)
    assert c2am_loss(foreground, background).item() == pytest.approx(sum(parts), rel=1e-5)


def test_sim_max_is_the_loop_over_pairs(features: tuple[Tensor, Tensor]) -> None:
    given, alpha = features[0], 0.7
    total = 0.0
    for u in given:
        similar = sorted((cosine(u, v) for v in given), reverse=True)
        total += sum(-math.log(s) * math.exp(-alpha * (place - 1)) for place, s in enumerate(similar))
    assert sim_max(given, alpha).item() == pytest.approx(total / len(given) ** 2, rel=1e-5)


def test_sim_min_is_the_loop_over_pairs(features: tuple[Tensor, Tensor]) -> None:
    foreground, background = features
    each = [-math.log(1 - cosine(u, v)) for u in background for v in foreground]
    assert sim_min(background, foreground).item() == pytest.approx(sum(each) / len(each), rel=1e-5)


def test_gradients() -> None:
    generator = torch.Generator().manual_seed(1)
    # all positive, so that no similarity is at its bound and the gradient is that of the formula
    given = [torch.rand(4, 6, generator=generator, dtype=torch.double, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(c2am_loss, given)


def test_a_feature_with_itself_has_no_gradient() -> None:
    alone = torch.rand(1, 8, requires_grad=True)
    sim_max(alone).backward()
    assert alone.grad is not None
    assert not alone.grad.any()


def test_equal_foreground_and_background_cost_most(features: tuple[Tensor, Tensor]) -> None:
    same = features[0][:1]
    assert sim_min(same, same).item() == pytest.approx(-math.log(0.0005), rel=1e-3)
    assert sim_min(same, -same).item() == pytest.approx(-math.log(0.9995), rel=1e-3)


def test_zero_features_are_finite() -> None:
    nothing = torch.zeros(3, 8, requires_grad=True)
    loss = c2am_loss(nothing, nothing)
    loss.backward()
    assert loss.isfinite()
    assert nothing.grad is not None
    assert nothing.grad.isfinite().all()


def test_half_precision_is_raised(features: tuple[Tensor, Tensor]) -> None:
    foreground, background = (kind.bfloat16() for kind in features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = c2am_loss(foreground, background)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(c2am_loss(foreground.float(), background.float()).item(), rel=1e-5)


def test_hints_are_the_mean_over_sure_pixels() -> None:
    activation = torch.tensor([[[[0.5, -1.0], [2.0, 0.0]]]])
    hints = torch.tensor([[[[0.4, 0.39], [0.9, 0.0]]]])
    each = [
        -0.95 * math.log(1 / (1 + math.exp(-x))) - 0.05 * math.log(1 / (1 + math.exp(x))) for x in (0.5, 2.0)
    ]
    loss = hint_loss(activation, hints, fg_threshold=0.4, label_smoothing=0.1)
    assert loss.item() == pytest.approx(sum(each) / 2, rel=1e-5)


def test_hints_are_brought_to_the_activation_bicubically() -> None:
    generator = torch.Generator().manual_seed(2)
    activation, hints = (
        torch.randn(2, 1, 4, 5, generator=generator),
        torch.rand(2, 1, 32, 40, generator=generator),
    )
    small = torch.nn.functional.interpolate(hints, (4, 5), mode="bicubic", align_corners=False)
    options = {"fg_threshold": 0.5, "label_smoothing": 0.0}
    assert hint_loss(activation, hints, **options) == hint_loss(activation, small, **options)


def test_no_hint_gives_zero() -> None:
    activation = torch.randn(2, 1, 4, 4, requires_grad=True)
    loss = hint_loss(activation, torch.zeros(2, 1, 64, 64), fg_threshold=0.4, label_smoothing=0.1)
    loss.backward()
    assert loss.item() == 0
    assert activation.grad is not None
    assert not activation.grad.any()


def test_hints_of_another_batch_are_refused() -> None:
    with pytest.raises(ValueError, match=r"activation \(2, 1, 4, 4\) and hints \(3, 1, 8, 8\)"):
        hint_loss(torch.zeros(2, 1, 4, 4), torch.zeros(3, 1, 8, 8), fg_threshold=0.4, label_smoothing=0.1)
