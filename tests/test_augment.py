"""Augmentations against torchvision, OpenCV and the formulas of FixMatch's RandAugment."""

from functools import partial

import wsss.models  # noqa: F401  before torchvision

# isort: split

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from torchvision.transforms import functional

from wsss.data import augment
from wsss.errors import UserError


def photograph(height: int = 90, width: int = 120) -> Image.Image:
    """Smooth colors with noise, of every hue and brightness."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = np.stack([np.sin(7 * x + 1), np.sin(5 * y + 3 * x), np.cos(6 * y - 2 * x)], axis=-1)
    noise = np.random.default_rng(0).normal(0, 8, waves.shape)
    return Image.fromarray(np.clip(127 + 125 * waves + noise, 0, 255).astype(np.uint8))


def levels(first: Image.Image, second: Image.Image) -> int:
    """Largest difference in gray levels."""
    return int(np.abs(np.asarray(first).astype(int) - np.asarray(second).astype(int)).max())


@pytest.mark.parametrize("shift", [-0.1, -0.037, 0.0, 0.05, 0.1, 0.5])
def test_hue_is_torchvisions(shift: float) -> None:
    image = photograph()
    assert levels(augment.adjust_hue(image, shift), functional.adjust_hue(image, shift)) <= 1


@pytest.mark.parametrize("factor", [0.7, 0.93, 1.3])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (ImageEnhance.Brightness, "adjust_brightness"),
        (ImageEnhance.Contrast, "adjust_contrast"),
        (ImageEnhance.Color, "adjust_saturation"),
    ],
)
def test_enhancements_are_torchvisions(kind: type, name: str, factor: float) -> None:
    image = photograph()
    assert levels(augment.enhance(kind, image, factor), getattr(functional, name)(image, factor)) <= 1


def test_color_jitter_replayed_with_torchvision() -> None:
    image = photograph()
    adjust = (
        functional.adjust_brightness,
        functional.adjust_contrast,
        functional.adjust_saturation,
        functional.adjust_hue,
    )
    orders = set()
    for seed in range(40):
        replay = np.random.default_rng(seed)
        factors = [*replay.uniform(0.7, 1.3, 3), replay.uniform(-0.1, 0.1)]
        order = tuple(replay.permutation(4).tolist())
        orders.add(order)
        expected = image
        for position in order:
            expected = adjust[position](expected, factors[position])
        assert levels(augment.color_jitter(image, np.random.default_rng(seed)), expected) <= 2
    assert len(orders) > 12


def test_clahe_changes_lightness_alone() -> None:
    import cv2

    dull = Image.fromarray((np.asarray(photograph()) // 4 + 90).astype(np.uint8))
    before, after = (
        cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2LAB).astype(int)
        for image in (dull, augment.clahe(dull))
    )
    assert after[..., 0].std() > 1.2 * before[..., 0].std()
    assert np.abs(after[..., 1:] - before[..., 1:]).mean() < 2


def test_pool_is_fixmatchs() -> None:
    colors = {"autocontrast", "brightness", "color", "contrast", "equalize", "identity", "posterize"}
    affine = {"rotate", "shear_x", "shear_y", "translate_x", "translate_y"}
    assert set(augment.POOL) == colors | affine | {"sharpness", "solarize"}
    assert len(augment.POOL) == 14


@pytest.mark.parametrize(("strength", "factor"), [(1, 0.14), (9, 0.86)])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("brightness", ImageEnhance.Brightness),
        ("color", ImageEnhance.Color),
        ("contrast", ImageEnhance.Contrast),
        ("sharpness", ImageEnhance.Sharpness),
    ],
)
def test_enhancement_strengths(name: str, kind: type, strength: int, factor: float) -> None:
    image = photograph()
    assert levels(augment.POOL[name](image, strength, 1), augment.enhance(kind, image, factor)) <= 1


def test_posterize_and_solarize_strengths() -> None:
    ramp = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))
    values = np.arange(256)
    for strength, bits, threshold in ((1, 4, 256 - 25), (5, 6, 256 - 128), (9, 7, 256 - 230)):
        posterized = np.asarray(augment.POOL["posterize"](ramp, strength, 1))[0, :, 0]
        assert np.array_equal(posterized, values >> (8 - bits) << (8 - bits))
        solarized = np.asarray(augment.POOL["solarize"](ramp, strength, 1))[0, :, 0]
        assert np.array_equal(solarized, np.where(values < threshold, values, 255 - values))


@pytest.mark.parametrize(("strength", "share"), [(1, 0.03), (9, 0.27)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_translation_strengths_and_black_fill(strength: int, share: float, sign: int) -> None:
    white = Image.new("RGB", (100, 200), (255, 255, 255))
    for name, axis, side in (("translate_x", 1, 100), ("translate_y", 0, 200)):
        moved = np.asarray(augment.POOL[name](white, strength, sign))[..., 0]
        black = np.flatnonzero((moved == 0).all(axis=1 - axis))
        assert len(black) == round(share * side)
        assert (black[0] == 0) == (sign < 0)


@pytest.mark.parametrize("strength", [1, 9])
@pytest.mark.parametrize("sign", [-1, 1])
def test_rotation_and_shear_strengths(strength: int, sign: int) -> None:
    line = np.zeros((201, 201, 3), np.uint8)
    line[100, :] = 255
    image = Image.fromarray(line)
    rotated = np.asarray(augment.POOL["rotate"](image, strength, sign))[..., 0]
    y, x = np.nonzero(rotated)
    # image rows run downwards, so a turn against the clock has a negative slope
    assert np.degrees(np.arctan(np.polyfit(x, y, 1)[0])) == pytest.approx(-sign * 3 * strength, abs=0.2)
    for name, picture in (("shear_y", image), ("shear_x", image.transpose(Image.Transpose.TRANSPOSE))):
        y, x = np.nonzero(np.asarray(augment.POOL[name](picture, strength, sign))[..., 0])
        run, rise = (x, y) if name == "shear_y" else (y, x)
        assert np.polyfit(run, rise, 1)[0] == pytest.approx(-sign * 0.03 * strength, abs=0.01)


def test_identity_autocontrast_equalize() -> None:
    image = photograph()
    assert levels(augment.POOL["identity"](image, 9, 1), image) == 0
    dull = Image.fromarray((np.asarray(image) // 2 + 60).astype(np.uint8))
    for name in ("autocontrast", "equalize"):
        stretched = np.asarray(augment.POOL[name](dull, 9, 1))
        assert stretched.min() == 0 and stretched.max() == 255


def test_cutout_always_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "POOL", {"identity": augment.POOL["identity"]})
    white = Image.new("RGB", (40, 30), (255, 255, 255))
    sides = set()
    for seed in range(200):
        black = np.asarray(augment.rand_augment(white, np.random.default_rng(seed)))[..., 0] == 0
        y, x = np.nonzero(black)
        height, width = np.ptp(y) + 1, np.ptp(x) + 1
        assert black.sum() == height * width, "one full rectangle"
        assert 8 <= height <= 16 and 8 <= width <= 16
        sides |= {int(height), int(width)}
    assert sides == set(range(8, 17))
    assert np.asarray(white).min() == 255, "the input is left alone"


def test_rand_augment_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int, int]] = []

    def record(name: str, image: Image.Image, strength: int, sign: int) -> Image.Image:
        calls.append((name, strength, sign))
        return image

    monkeypatch.setattr(augment, "POOL", {name: partial(record, name) for name in augment.POOL})
    image = Image.new("RGB", (32, 32))
    trials, counts = 600, []
    for seed in range(trials):
        before = len(calls)
        augment.rand_augment(image, np.random.default_rng(seed))
        counts.append(len(calls) - before)
    assert np.bincount(counts) / trials == pytest.approx([0.25, 0.5, 0.25], abs=0.06), (
        "two, each with chance 1/2"
    )
    assert {strength for _, strength, _ in calls} == set(range(1, 10))
    assert {sign for *_, sign in calls} == {-1, 1}
    assert {name for name, *_ in calls} == set(augment.POOL)


def test_published_order_whatever_the_order_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    applied: list[str] = []

    def record(name: str, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        applied.append(name)
        return image

    recorded = {name: partial(record, name) for name in augment.AUGMENTATIONS}
    monkeypatch.setattr(augment, "AUGMENTATIONS", recorded)
    augment.augment(photograph(), ("randaugment", "clahe", "colorjitter"), np.random.default_rng(0))
    assert applied == ["clahe", "colorjitter", "randaugment"]


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (17, 2)])
def test_tiny_images_survive(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (10, 200, 30))
    for seed in range(20):
        assert augment.augment(image, augment.AUGMENTATIONS, np.random.default_rng(seed)).size == size


def test_unknown_augmentation_is_named() -> None:
    with pytest.raises(UserError, match=r"sharpen.*clahe, colorjitter, randaugment"):
        augment.check_augmentations(["clahe", "sharpen"])
