"""Photographs with an EXIF orientation and their masks, in all eight and in every kind of data set."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from wsss.config import CocoDataset, DatasetConfig, FolderDataset, VocDataset
from wsss.data.checks import upright
from wsss.data.copies import smaller_copies
from wsss.data.datasets import index_of
from wsss.data.images import read_image
from wsss.data.index import Index
from wsss.data.palette import read_mask
from wsss.errors import UserError
from wsss.imports.released import released_cams, released_saliency
from wsss.store.files import write_text

#: the orientation that undoes another one
INVERSE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
ORIENTATIONS = range(1, 9)
#: as shown: an object in the upper left corner, H x W
SHOWN = np.zeros((24, 40), np.uint8)
SHOWN[:8, :16] = 1


def turned(array: np.ndarray, orientation: int) -> np.ndarray:
    """What a viewer makes of stored pixels with this orientation."""
    image = Image.fromarray(array)
    image.getexif()[0x0112] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


def stored(array: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels that a viewer shows as `array`."""
    return turned(array, INVERSE[orientation])


def photograph(path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.repeat(stored(SHOWN, orientation)[..., None] * 255, 3, axis=2).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif, quality=100)


def mask(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def data_set(kind: str, orientation: int, values: np.ndarray, **keys: Any) -> DatasetConfig:
    """One photograph and its mask in a data set of a kind."""
    if kind == "folder":
        photograph(Path("photos/a.jpg"), orientation)
        mask(Path("masks/a.png"), values)
        write_text("labels.csv", "image,labels,split\na.jpg,cat,train\n")
        where = {"images": Path("photos"), "labels": Path("labels.csv"), "masks": Path("masks")}
        return FolderDataset(kind="folder", **where, classes=("cat",), **keys)
    if kind == "voc":
        photograph(Path("voc/JPEGImages/a.jpg"), orientation)
        mask(Path("voc/SegmentationClass/a.png"), values)
        write_text("voc/ImageSets/Segmentation/train.txt", "a\n")
        write_text("voc/classes.txt", "cat\n")
        return VocDataset(kind="voc", root=Path("voc"), train="train", **keys)
    photograph(Path("coco/train/a.jpg"), orientation)
    mask(Path("coco-masks/a.png"), values)
    height, width = values.shape
    images = [{"id": 1, "file_name": "a.jpg", "height": height, "width": width}]
    found = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    write_text("coco/annotations/instances_train.json", json.dumps(found))
    return CocoDataset(kind="coco", root=Path("coco"), train="train", masks=Path("coco-masks"), **keys)


def indexed(data: DatasetConfig) -> Index:
    return index_of(data, "train", masks_to=Path("out.masks"))


def agrees(index: Index) -> bool:
    """Whether the photograph and the mask that stages read show the object in the same place, as shown."""
    (record,) = index.records
    assert record.mask is not None
    values = read_mask(record.mask)
    bright = np.asarray(read_image(record.image).convert("L")) > 127
    return bool(np.array_equal(values, SHOWN) and np.array_equal(bright, SHOWN == 1))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    logging.getLogger("wsss").propagate = True


@pytest.mark.parametrize("kind", ["folder", "voc", "coco"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_mask_drawn_on_the_photograph_as_shown(
    kind: str, orientation: int, caplog: pytest.LogCaptureFixture
) -> None:
    index = indexed(data_set(kind, orientation, SHOWN))
    assert agrees(index) and index.largest == SHOWN.shape and not Path("out.masks").exists()
    assert ("taken as shown" in caplog.text) == (orientation in (2, 3, 4)), (
        "it fits both ways, and this is said"
    )


@pytest.mark.parametrize("kind", ["folder", "voc", "coco"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_mask_drawn_on_the_stored_pixels(kind: str, orientation: int) -> None:
    values = stored(SHOWN, orientation)
    assert agrees(indexed(data_set(kind, orientation, values, masks_orientation="stored")))
    if orientation >= 5:
        assert agrees(indexed(data_set(kind, orientation, values))), "its size says so"
        with pytest.raises(UserError, match=r"mask is 24x40 but .* is 40x24 as shown, 24x40 as stored"):
            indexed(data_set(kind, orientation, values, masks_orientation="seen"))
    elif orientation > 1:
        assert not agrees(indexed(data_set(kind, orientation, values))), "the key is needed"


def test_the_key_ends_the_message(caplog: pytest.LogCaptureFixture) -> None:
    assert agrees(indexed(data_set("folder", 3, SHOWN, masks_orientation="seen"))) and not caplog.text


def test_square_photographs_fit_both_ways(caplog: pytest.LogCaptureFixture) -> None:
    data = data_set("folder", 6, SHOWN)
    pixels = Image.open("photos/a.jpg").resize((30, 30))
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels.save("photos/a.jpg", exif=exif)
    mask(Path("masks/a.png"), np.ones((30, 30), np.uint8))
    indexed(data)
    assert (
        "1 masks fit their photograph" in caplog.text and "dataset.masks_orientation: stored" in caplog.text
    )


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_maps_are_turned_as_viewers_turn_photographs(orientation: int) -> None:
    maps = np.random.default_rng(0).integers(0, 256, (3, 5, 7)).astype(np.uint8)
    assert np.array_equal(upright(maps, orientation), [turned(one, orientation) for one in maps])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_given_maps_are_turned_where_their_size_says_so(orientation: int) -> None:
    (record,) = indexed(data_set("folder", orientation, SHOWN))
    array = stored(SHOWN, orientation) if orientation >= 5 else SHOWN
    mask(Path("given/a.png"), array * 255)
    assert np.array_equal(released_saliency(Path("given/a.png"), record, masks=True), SHOWN * 255)
    cams = {"keys": np.array([0, 1]), "hr_cam": array[None].astype(np.float32)}
    small = SHOWN[::4, ::4] if orientation < 5 else stored(SHOWN[::4, ::4], orientation)
    np.save("given/a.npy", np.array({**cams, "cam": small[None].astype(np.float32)}), allow_pickle=True)
    found = released_cams(Path("given/a.npy"), record, ("cat",))
    assert found.size == SHOWN.shape
    assert np.array_equal(found.merged[1][0], SHOWN) and np.array_equal(found.merged[4][0], SHOWN[::4, ::4])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("asked", ["auto", "stored"])
def test_smaller_copies_are_upright(orientation: int, asked: str, caplog: pytest.LogCaptureFixture) -> None:
    values = SHOWN if asked == "auto" else stored(SHOWN, orientation)
    data_set("folder", orientation, values)
    images, masks = smaller_copies(Path("photos"), Path("masks"), 20, Path("out"), orientation=asked)
    assert masks is not None
    small = np.asarray(Image.open(masks / "a.png"))
    assert small.shape == (12, 20) and small[:4, :8].all() and small.sum() == 32
    bright = np.asarray(read_image(images / "a.jpg").convert("L")) > 127
    assert (bright == (small == 1)).mean() > 0.97
    assert ("taken as shown" in caplog.text) == (asked == "auto" and orientation in (2, 3, 4))
