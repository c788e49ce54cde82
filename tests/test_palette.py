"""The color table and every way a mask is stored."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss.data.palette import read_mask, voc_palette
from wsss.errors import UserError
from wsss.metrics import IGNORE
from wsss.store.files import write_png


def test_the_table_is_vocs() -> None:
    palette = voc_palette()
    assert palette.shape == (256, 3) and palette.dtype == np.uint8
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        15: (192, 128, 128),
        20: (0, 64, 128),
        255: (224, 224, 192),
    }
    for value, color in known.items():
        assert tuple(palette[value]) == color
    assert len(np.unique(palette, axis=0)) == 256


def test_the_table_is_the_one_in_real_masks(shared: Path) -> None:
    for path in (shared / "voc12-mini" / "SegmentationClass").glob("*.png"):
        with Image.open(path) as image:
            stored = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
        assert np.array_equal(stored[:21], voc_palette()[:21])


@pytest.fixture
def mask() -> np.ndarray:
    return np.random.default_rng(0).permutation(np.arange(256, dtype=np.uint8)).reshape(8, 32)


def test_palette_gray_and_color_hold_the_same_mask(tmp_path: Path, mask: np.ndarray) -> None:
    write_png(tmp_path / "p.png", mask, voc_palette())
    write_png(tmp_path / "l.png", mask)
    write_png(tmp_path / "rgb.png", voc_palette()[mask])
    for name in ("p", "l", "rgb"):
        read = read_mask(tmp_path / f"{name}.png")
        assert read.dtype == np.uint8
        assert np.array_equal(read, mask), name


def test_the_palette_of_a_file_does_not_matter(tmp_path: Path, mask: np.ndarray) -> None:
    write_png(tmp_path / "odd.png", mask, np.full((256, 3), 7, np.uint8))
    assert np.array_equal(read_mask(tmp_path / "odd.png"), mask)


def test_void_color_is_ignored(tmp_path: Path) -> None:
    write_png(tmp_path / "void.png", np.full((2, 3, 3), (224, 224, 192), np.uint8))
    assert (read_mask(tmp_path / "void.png") == IGNORE).all()


def test_a_color_outside_the_table_is_named(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[2, 1] = (1, 2, 3)
    write_png(tmp_path / "m.png", pixels)
    with pytest.raises(UserError, match=r"m\.png: color \(1, 2, 3\) at row 2, column 1"):
        read_mask(tmp_path / "m.png")


def test_other_modes_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(UserError, match=r"deep\.png: mask has mode I;16; allowed are P"):
        read_mask(tmp_path / "deep.png")


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    for name in ("text.png", "absent.png"):
        with pytest.raises(UserError, match=name):
            read_mask(tmp_path / name)
