"""CLIP-ES: equal to the published code with a filled tower; and any image, any tower of this kind."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import wsss.models  # noqa: F401  before timm: it repairs torchvision

# isort: split
import timm
from torch import Tensor, nn

from wsss.errors import UserError
from wsss.inference import clip_es
from wsss.inference.clip_cams import encode, network_input

#: largest differences, relative to the largest value
TOLERANCES = {"raw": 4e-4, "cam": 4e-4, "attn_mean": 3e-4, "refined": 1e-4}


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    with np.load(shared / "golden" / "clip_es.npz") as file:
        return {**json.loads((shared / "golden" / "clip_es.json").read_text()), **file}


@pytest.fixture(scope="module")
def small() -> nn.Module:
    torch.manual_seed(0)
    options: dict[str, Any] = {"embed_dim": 32, "depth": 3, "num_heads": 2, "img_size": 64, "num_classes": 8}
    return timm.create_model("vit_base_patch16_clip_quickgelu_224", **options).eval()


def text(rows: int, width: int = 8) -> Tensor:
    vectors = torch.randn(rows, width, generator=torch.Generator().manual_seed(1))
    return nn.functional.normalize(vectors)


def photograph(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("name", ["a", "b"])
def test_clip_es_equals_the_published_code(
    golden: dict[str, Any], golden_tower: nn.Module, name: str
) -> None:
    case = golden["cases"][name]
    rows = golden["text"][case["text_rows"]]
    cams = clip_es(
        golden_tower, golden[f"{name}_image"], rows, golden["logit_scale"], classes=case["classes"]
    )
    for key, tolerance in TOLERANCES.items():
        expected = golden[f"{name}_{key}"]
        ours = getattr(cams, key)
        np.testing.assert_allclose(
            ours, expected, rtol=0, atol=tolerance * np.abs(expected).max(), err_msg=key
        )
    np.testing.assert_allclose(cams.scores, golden[f"{name}_scores"], rtol=0, atol=5e-5)
    np.testing.assert_array_equal(cams.box_mask, golden[f"{name}_box_mask"])
    step = case["highres_step"]
    expected = golden[f"{name}_highres"].astype(np.float32)
    np.testing.assert_allclose(
        cams.highres[:, ::step, ::step].astype(np.float32), expected, rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("name", ["a", "b"])
def test_tokens_equal_the_published_ones(golden: dict[str, Any], golden_tower: nn.Module, name: str) -> None:
    case = golden["cases"][name]
    encoding = encode(golden_tower, network_input(golden[f"{name}_image"], 16), layers=11)
    expected = golden[f"{name}_tokens"]
    ours = encoding.tokens[0, case["token_rows"]].numpy()
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    sums = [[float(weights.sum()), float(weights.trace())] for weights in encoding.attention]
    np.testing.assert_allclose(sums, golden[f"{name}_attn_layers"][:11], rtol=3e-4)


@pytest.mark.parametrize(("size", "scale"), [((50, 70), 1), ((16, 16), 1), ((33, 20), 2), ((90, 40), 0.5)])
def test_any_image_at_any_scale(small: nn.Module, size: tuple[int, int], scale: float) -> None:
    cams = clip_es(small, photograph(*size), text(5), classes=2, scale=scale, layers=3)
    grid = tuple(-(-round(side * scale) // 16) for side in size)
    assert cams.refined.shape == cams.raw.shape == (2, *grid)
    assert cams.highres.shape == (2, *size)
    assert cams.scores.sum() == pytest.approx(1, abs=1e-5)
    assert np.isfinite(cams.highres).all()
    assert 0 <= cams.highres.min() <= cams.highres.max() <= 1


def test_grad_cam_is_the_gradient_of_a_probability(small: nn.Module) -> None:
    """Of a class among classes and background words: another background word changes its map."""
    image = photograph(48, 64)
    few, more = (clip_es(small, image, text(rows), classes=2, layers=2).raw for rows in (4, 5))
    assert np.abs(few - more).max() > 1e-3 * np.abs(few).max()
    only = clip_es(small, image, text(1), classes=1, layers=2)
    assert only.scores.tolist() == [1]
    assert np.abs(only.raw).max() == 0  # a probability that is always 1 has no gradient


def test_a_tower_is_left_as_it_was(small: nn.Module) -> None:
    layers = [block.attn for block in small.get_submodule("blocks").children()]
    before = [layer.fused_attn for layer in layers]
    clip_es(small, photograph(32, 32), text(3), classes=1, layers=3)
    assert [layer.fused_attn for layer in layers] == before
    assert not any(layer.attn_drop._forward_pre_hooks for layer in layers)
    assert not any(module._forward_hooks for module in small.modules())
    assert all(parameter.grad is None for parameter in small.parameters())


def test_an_image_without_classes_has_no_cams(small: nn.Module) -> None:
    cams = clip_es(small, photograph(32, 48), text(3), classes=0, layers=2)
    assert cams.refined.shape == (0, 2, 3)
    assert cams.highres.shape == (0, 32, 48)


def test_what_cannot_be_is_named(small: nn.Module) -> None:
    image = photograph(32, 32)
    with pytest.raises(UserError, match="4 classes"):
        clip_es(small, image, text(3), classes=4, layers=2)
    with pytest.raises(UserError, match="layers 8: 1 to 3"):
        clip_es(small, image, text(3), classes=1)
    with pytest.raises(UserError, match="no patch_embed, cls_token"):
        clip_es(nn.Linear(2, 2), image, text(3), classes=1)
