"""Test-time augmentation: sizes, the published merge, and the published maps themselves."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from wsss.inference.stacks import rescale, scaled_size
from wsss.store.cams import CamMaps


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def random_maps(rng, size, count):
    scales = {}
    for scale in (0.5, 1.0, 1.5, 2.0):
        height, width = scaled_size(size, scale)
        scales[scale] = rng.random((count, math.ceil(height / 16), math.ceil(width / 16)), dtype=np.float32)
    return CamMaps("a", size, np.arange(count + 1), scales)


def merged(maps, size):
    """The rule with torch's interpolation."""
    resized = [
        functional.interpolate(torch.from_numpy(array)[None], size, mode="bilinear", align_corners=False)[0]
        for array in maps.scales.values()
    ]
    total = torch.stack(resized).sum(0)[:, : maps.size[0], : maps.size[1]]
    return (total / (total.amax((1, 2), keepdim=True) + 1e-5)).numpy()


def test_sizes_round_half_to_even():
    assert scaled_size((375, 501), 0.5) == (188, 250)
    assert scaled_size((333, 500), 1.5) == (500, 750)
    assert scaled_size((375, 500), 1.0) == (375, 500)
    assert scaled_size((1, 1), 0.25) == (1, 1)


def test_images_are_resized_by_pillows_bicubic_filter(rng):
    image = Image.fromarray(rng.integers(0, 256, (33, 51, 3), dtype=np.uint8))
    np.testing.assert_array_equal(
        np.asarray(rescale(image, 1.5)), np.asarray(image.resize((76, 50), Image.Resampling.BICUBIC))
    )
    np.testing.assert_array_equal(np.asarray(rescale(image, 1.0)), np.asarray(image))


@pytest.mark.parametrize("size", [(375, 500), (281, 500), (64, 48), (17, 5)])
def test_maps_are_resized_summed_cropped_and_divided_by_their_maximum(rng, size):
    maps = random_maps(rng, size, 2)
    quarter = maps.strided()
    whole = maps.full()
    assert quarter.shape == (2, math.ceil(size[0] / 4), math.ceil(size[1] / 4))
    assert whole.shape == (2, *size)
    assert quarter.dtype == whole.dtype == np.float32
    np.testing.assert_allclose(quarter, merged(maps, quarter.shape[1:]), atol=1e-5)
    aligned = (16 * math.ceil(size[0] / 16), 16 * math.ceil(size[1] / 16))
    np.testing.assert_allclose(whole, merged(maps, aligned), atol=1e-5)


def test_no_maps_and_maps_of_nothing(rng):
    none = random_maps(rng, (20, 30), 0)
    assert none.full().shape == (0, 20, 30)
    assert none.strided().shape == (0, 5, 8)
    silent = CamMaps("a", (20, 30), np.array([0, 1]), {1.0: np.zeros((1, 2, 2), np.float32)})
    assert silent.full().max() == 0


def test_published_merge(shared):
    golden = np.load(shared / "golden" / "cam_tta.npz")
    with Image.open(shared / "voc12-mini" / "JPEGImages" / "2007_000032.jpg") as image:
        size = (image.height, image.width)
    scales = {scale: golden[f"scale_{scale}"] for scale in (0.5, 1.0, 1.5, 2.0)}
    maps = CamMaps("2007_000032", size, golden["keys"], scales)
    np.testing.assert_allclose(maps.strided(), golden["strided"], atol=1e-4)
    np.testing.assert_allclose(maps.full()[:, ::5, ::5], golden["full"], atol=1e-4)
