"""Every kind of image file becomes 8-bit RGB, or is named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from wsss.data.images import check_image, image_size, read_header, read_image
from wsss.errors import UserError

#: the orientation that undoes another one
INVERSE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def read(path: Path) -> np.ndarray:
    image = read_image(path)
    assert image.mode == "RGB"
    return np.asarray(image)


def test_color_is_kept(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "rgb.png")
    assert np.array_equal(read(tmp_path / "rgb.png"), RGB)
    assert image_size(tmp_path / "rgb.png") == (6, 9)


def test_gray_is_repeated(tmp_path: Path) -> None:
    Image.fromarray(RGB[..., 0]).save(tmp_path / "gray.png")
    assert np.array_equal(read(tmp_path / "gray.png"), np.repeat(RGB[..., :1], 3, axis=2))


def test_sixteen_bits_keep_their_upper_eight(tmp_path: Path) -> None:
    gray = RGB[..., 0].astype(np.uint16)
    for suffix in ("png", "tif"):
        path = tmp_path / f"deep.{suffix}"
        Image.fromarray(gray * 256 + 17).save(path)
        assert np.array_equal(read(path)[..., 1], gray)


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


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg", "avif", "mpo"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_as_viewers_show_them(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = np.repeat(np.repeat(RGB, 16, axis=0), 16, axis=1)
    path = tmp_path / f"turned.{suffix}"
    stored = ImageOps.exif_transpose(_marked(Image.fromarray(upright), INVERSE[orientation]))
    stored.save(path, exif=exif, **({"lossless": True} if suffix == "webp" else {"quality": 95}))
    header = read_header(path)
    assert image_size(path) == header.upright == upright.shape[:2] and check_image(path) == header
    assert header.size == (stored.height, stored.width) and header.orientation == orientation
    read_pixels = read(path)
    assert read_pixels.shape == upright.shape
    if suffix in ("png", "tif", "webp"):
        assert np.array_equal(read_pixels, upright)
    assert np.abs(read_pixels.astype(int) - upright).mean() < 12
    assert ImageOps.exif_transpose(read_image(path)).size == read_image(path).size, "it is turned once"


def _marked(image: Image.Image, orientation: int) -> Image.Image:
    image.getexif()[0x0112] = orientation
    return image


def test_an_orientation_behind_the_pixels_of_a_png(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    content = (tmp_path / "a.png").read_bytes()
    place = content.index(b"eXIf") - 4
    end = place + 12 + int.from_bytes(content[place : place + 4], "big")
    (tmp_path / "b.png").write_bytes(content[:place] + content[end:-12] + content[place:end] + content[-12:])
    assert image_size(tmp_path / "b.png") == (9, 6)
    assert np.array_equal(read(tmp_path / "b.png"), read(tmp_path / "a.png"))


def test_the_first_picture_of_an_animation_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (9, 6), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read(tmp_path / "a.gif")[3, 4].tolist() == [255, 0, 0]


def test_heic_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (tmp_path / "b.jpg").write_bytes(b"")
    for read_or_check in (read_image, check_image):
        with pytest.raises(UserError, match=r"a\.jpg: .*HEIC: not read; install pillow-heif"):
            read_or_check(tmp_path / "a.jpg")
        with pytest.raises(UserError, match=r"b\.jpg: .*the file is empty"):
            read_or_check(tmp_path / "b.jpg")


def test_float_pixels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tif")
    for read_or_check in (read_image, check_image):
        with pytest.raises(UserError, match=r"float\.tif: image has mode F"):
            read_or_check(tmp_path / "float.tif")


def test_truncated_is_named_though_its_header_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    Image.fromarray(RGB.repeat(20, 0).repeat(20, 1)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    assert image_size(path) == (120, 180)
    for read_or_check in (read_image, check_image):
        with pytest.raises(UserError, match=r"cut\.jpg: image does not decode"):
            read_or_check(path)


@pytest.mark.parametrize("read_or_measure", [read_image, image_size])
def test_missing_and_foreign_files_are_named(tmp_path: Path, read_or_measure: object) -> None:
    (tmp_path / "text.jpg").write_text("no image, but text")
    for name in ("text.jpg", "absent.jpg"):
        with pytest.raises(UserError, match=name):
            read_or_measure(tmp_path / name)  # type: ignore[operator]
