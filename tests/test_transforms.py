"""Geometry and normalization of training samples, of images and of the maps that go with them."""

import numpy as np
import pytest
from PIL import Image

from wsss.data.transforms import (
    AffinityTransform,
    ClassificationTransform,
    Geometry,
    NativeTransform,
    SaliencyTransform,
    SegmentationTransform,
    draw_geometry,
)
from wsss.errors import UserError
from wsss.models.weights import Normalization

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: normalizes to RGB / 255 itself, so that pixels can be read off a result
PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def geometries(size: tuple[int, int], n: int = 400, **bounds: int) -> list[Geometry]:
    return [draw_geometry(np.random.default_rng(seed), size, **bounds) for seed in range(n)]


def ramp(height: int = 60, width: int = 90) -> np.ndarray:
    """uint8 (H, W): brightness grows to the right, so that a flip shows."""
    return np.repeat(np.linspace(0, 254, width).astype(np.uint8)[None], height, axis=0)


@pytest.mark.parametrize("size", [(90, 60), (60, 90)])
def test_long_side_is_uniform_and_aspect_kept(size: tuple[int, int]) -> None:
    drawn = geometries(size, min_size=40, max_size=49, crop=64)
    long_sides = [max(geometry.size) for geometry in drawn]
    assert set(long_sides) == set(range(40, 50))
    for geometry in drawn:
        assert geometry.size[0] / geometry.size[1] == pytest.approx(size[0] / size[1], rel=0.03)
    assert np.mean([geometry.flip for geometry in drawn]) == pytest.approx(0.5, abs=0.08)


def test_equal_bounds_make_a_square() -> None:
    assert {geometry.size for geometry in geometries((90, 60), 20, min_size=50, max_size=50, crop=40)} == {
        (50, 50)
    }


def test_extreme_aspect_keeps_a_pixel() -> None:
    assert geometries((1000, 1), 5, min_size=20, max_size=30, crop=16)[0].size[1] == 1


def test_small_images_are_placed_everywhere_and_large_cut_everywhere() -> None:
    small = geometries((8, 8), min_size=4, max_size=5, crop=8)
    assert {geometry.target for geometry in small if geometry.size == (4, 4)} == {
        (x, y) for x in range(5) for y in range(5)
    }
    assert {geometry.source for geometry in small} == {(0, 0)}
    large = geometries((8, 8), min_size=10, max_size=11, crop=8)
    assert {geometry.source for geometry in large if geometry.size == (10, 10)} == {
        (x, y) for x in range(3) for y in range(3)
    }
    assert {geometry.target for geometry in large} == {(0, 0)}


def test_cut_and_placement_are_in_bounds() -> None:
    for geometry in geometries((90, 60), min_size=20, max_size=120, crop=48):
        for axis in (0, 1):
            assert geometry.extent[axis] == min(geometry.size[axis], 48)
            assert 0 <= geometry.source[axis] <= geometry.size[axis] - geometry.extent[axis]
            assert 0 <= geometry.target[axis] <= 48 - geometry.extent[axis]


def test_classification_normalizes_and_pads_with_zero() -> None:
    transform = ClassificationTransform(64, 32, 48, MEAN, STD)
    color = (200, 100, 50)
    array = transform(Image.new("RGB", (90, 60), color), np.random.default_rng(3))
    assert array.shape == (3, 64, 64) and array.dtype == np.float32 and array.flags.c_contiguous
    inside = array[0] != 0
    geometry = transform.geometry(Image.new("RGB", (90, 60)), np.random.default_rng(3))
    assert inside.sum() == geometry.extent[0] * geometry.extent[1] < 64 * 64
    expected = (np.array(color) / 255 - MEAN) / STD
    assert array[:, inside] == pytest.approx(np.repeat(expected[:, None], inside.sum(), axis=1), abs=1e-5)
    assert not array[:, ~inside].any()


def test_resize_is_bicubic_and_pixels_are_the_resized_ones() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8))
    transform = ClassificationTransform(32, 40, 70, *PLAIN)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        geometry = transform.geometry(image, np.random.default_rng(seed))
        resized = image.resize(geometry.size, Image.Resampling.BICUBIC)
        pixels = np.asarray(resized)[:, ::-1] if geometry.flip else np.asarray(resized)
        (left, top), (width, height) = geometry.source, geometry.extent
        expected = pixels[top : top + height, left : left + width].transpose(2, 0, 1) / 255
        (x, y), array = geometry.target, transform(image, rng)
        assert array[:, y : y + height, x : x + width] == pytest.approx(expected, abs=1e-6)


def test_same_generator_same_array_and_augmentation_keeps_the_geometry() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(1, 256, (60, 90, 3), np.uint8))
    plain = ClassificationTransform(64, 32, 48, MEAN, STD)
    strong = ClassificationTransform(64, 32, 48, MEAN, STD, ("clahe", "colorjitter", "randaugment"))
    for seed in range(5):
        first, second = (strong(image, np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(first, second)
        without = plain(image, np.random.default_rng(seed))
        assert not np.array_equal(first, without)
        assert np.array_equal(first.any(axis=0), without.any(axis=0))


def test_mask_follows_the_image() -> None:
    mask = ramp()
    image = Image.fromarray(np.repeat(mask[..., None], 3, axis=2))
    transform = SegmentationTransform(48, 30, 100, *PLAIN)
    flips = set()
    for seed in range(20):
        array, placed = transform(image, mask, np.random.default_rng(seed))
        flips.add(transform.geometry(image, np.random.default_rng(seed)).flip)
        assert placed.shape == (48, 48) and placed.dtype == np.uint8
        inside = placed != 255
        # nearest and bicubic sampling of the same ramp differ by less than two of its steps
        assert np.abs(array[0] * 255 - placed)[inside].max() < 8
        assert not array[:, ~inside].any()
    assert flips == {True, False}


def test_mask_values_are_never_mixed() -> None:
    mask = np.zeros((60, 90), np.uint8)
    mask[20:40, 30:60], mask[40:50, 10:30] = 15, 255
    transform = SegmentationTransform(48, 30, 100, MEAN, STD)
    for seed in range(20):
        _, placed = transform(Image.fromarray(mask).convert("RGB"), mask, np.random.default_rng(seed))
        assert set(np.unique(placed)) <= {0, 15, 255}


def test_affinity_is_segmentation_at_a_quarter() -> None:
    mask = ramp()
    image = Image.fromarray(mask).convert("RGB")
    arguments = (64, 40, 90, MEAN, STD)
    for seed in range(5):
        array, quarter = AffinityTransform(*arguments)(image, mask, np.random.default_rng(seed))
        same, whole = SegmentationTransform(*arguments)(image, mask, np.random.default_rng(seed))
        assert np.array_equal(array, same)
        assert np.array_equal(quarter, whole[2::4, 2::4])


def test_hint_follows_the_image() -> None:
    hint = ramp().astype(np.float32) / 255
    image = Image.fromarray(np.repeat(ramp()[..., None], 3, axis=2))
    transform = SaliencyTransform(56, 64, 64, *PLAIN)
    assert transform.resampling is Image.Resampling.BILINEAR
    for seed in range(10):
        array, cropped = transform(image, hint, np.random.default_rng(seed))
        assert cropped.shape == (1, 56, 56) and cropped.dtype == np.float32
        assert array == pytest.approx(np.repeat(cropped, 3, axis=0), abs=1 / 255)


def test_channels_come_in_the_order_that_is_asked_for() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8))
    rgb, bgr = (
        ClassificationTransform(56, 64, 64, MEAN, STD, order=order)(image, np.random.default_rng(1))
        for order in ("rgb", "bgr")
    )
    assert np.array_equal(bgr, rgb[::-1]) and bgr.flags.c_contiguous


def test_native_size_is_kept_and_half_are_mirrored_with_their_saliency() -> None:
    saliency = ramp(8, 12)
    image = Image.fromarray(np.repeat(saliency[..., None], 3, axis=2))
    transform = NativeTransform(Normalization(*PLAIN))
    mirrored = 0
    for seed in range(20):
        array, target = transform(image, saliency, np.random.default_rng(seed))
        assert array.shape == (3, 8, 12) and target.shape == (1, 8, 12) and target.dtype == np.float32
        assert array == pytest.approx(np.repeat(target, 3, axis=0))
        mirrored += target[0, 0, 0] > 0.5
    assert 4 < mirrored < 16


def test_faulty_settings_are_refused() -> None:
    with pytest.raises(UserError, match="min_size 50, max_size 40"):
        ClassificationTransform(64, 50, 40, MEAN, STD)
    with pytest.raises(UserError, match="crop 0"):
        ClassificationTransform(0, 40, 50, MEAN, STD)
    with pytest.raises(UserError, match="unknown blur"):
        ClassificationTransform(64, 40, 50, MEAN, STD, ("blur",))
