"""Every kind of image file becomes 8-bit RGB, or is named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss.data.images import image_size, read_image
from wsss.errors import UserError

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def read(path: Path) -> np.ndarray:
    image = read_image(path)
    assert image.mode == "RGB"
    return np.asarray(image)


def test_colour_is_kept(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "rgb.png")
    assert np.array_equal(read(tmp_path / "rgb.png"), RGB)
    assert image_size(tmp_path / "rgb.png") == (6, 9)


def test_grey_is_repeated(tmp_path: Path) -> None:
    Image.fromarray(RGB[..., 0]).save(tmp_path / "grey.png")
    assert np.array_equal(read(tmp_path / "grey.png"), np.repeat(RGB[..., :1], 3, axis=2))


def test_sixteen_bits_keep_their_upper_eight(tmp_path: Path) -> None:
    grey = RGB[..., 0].astype(np.uint16)
    for suffix in ("png", "tif"):
        path = tmp_path / f"deep.{suffix}"
        Image.fromarray(grey * 256 + 17).save(path)
        assert np.array_equal(read(path)[..., 1], grey)


def test_alpha_is_dropped(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([RGB, np.zeros((6, 9), np.uint8)])).save(tmp_path / "alpha.png")
    assert np.array_equal(read(tmp_path / "alpha.png"), RGB)


def test_palette_is_looked_up(tmp_path: Path) -> None:
    flat = np.repeat(RGB[:1, :4], 3, axis=0)
    Image.fromarray(flat).quantize(4).save(tmp_path / "palette.png")
    assert np.array_equal(read(tmp_path / "palette.png"), flat)


def test_cmyk_is_converted(tmp_path: Path) -> None:
    Image.new("CMYK", (9, 6), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=95)
    red, green, blue = read(tmp_path / "cmyk.jpg")[3, 4]
    assert red > 180 and green < 80 and blue < 80


def test_exif_rotation_is_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB).save(tmp_path / "turned.jpg", exif=exif)
    assert image_size(tmp_path / "turned.jpg") == (6, 9)
    assert read(tmp_path / "turned.jpg").shape == (6, 9, 3)


def test_float_pixels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(UserError, match=r"float\.tif: image has mode F"):
        read_image(tmp_path / "float.tif")


def test_truncated_is_named_though_its_header_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    Image.fromarray(RGB.repeat(20, 0).repeat(20, 1)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    assert image_size(path) == (120, 180)
    with pytest.raises(UserError, match=r"cut\.jpg: image does not decode"):
        read_image(path)


@pytest.mark.parametrize("read_or_measure", [read_image, image_size])
def test_missing_and_foreign_files_are_named(tmp_path: Path, read_or_measure: object) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    for name in ("text.jpg", "absent.jpg"):
        with pytest.raises(UserError, match=name):
            read_or_measure(tmp_path / name)  # type: ignore[operator]
