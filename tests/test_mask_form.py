"""Masks of other values and of colors, and what is said where masks and labels do not agree."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wsss.config import FolderDataset, VocDataset
from wsss.data.datasets import index_of
from wsss.data.index import Index
from wsss.data.mask_form import mask_form, read_labelmap
from wsss.data.palette import read_mask, voc_palette
from wsss.errors import UserError
from wsss.store.files import write_png, write_text

LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:250,50,83::\ndog:12,34,56:ear:\n"
#: class values
VALUES = np.array([[0, 1, 1], [0, 0, 2]], np.uint8)
COLORS = np.array([(0, 0, 0), (250, 50, 83), (12, 34, 56)], np.uint8)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two photographs of 3 by 2 pixels in `photos/`, one labeled with both classes and one with none."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("a", 10), ("b", 20)):
        write_png(Path("photos") / f"{name}.png", np.full((2, 3, 3), value, np.uint8))
    write_text("labels.csv", "image,labels,split\na,cat;dog,train\nb,,train\n")
    return tmp_path


def save(pixels: np.ndarray, mode: str | None = None, other: np.ndarray | None = None) -> None:
    """The masks of both photographs in `masks/`."""
    for name, array in (("a", pixels), ("b", np.zeros_like(pixels) if other is None else other)):
        Path("masks").mkdir(exist_ok=True)
        image = Image.fromarray(array)
        image = image.quantize(8) if mode == "P" else image.convert(mode) if mode else image
        image.save(Path("masks", f"{name}.png"))


def indexed(root: Path, classes: tuple[str, ...] = ("cat", "dog"), **keys: Any) -> Index:
    where = {"images": Path("photos"), "labels": Path("labels.csv"), "masks": Path("masks")}
    data = FolderDataset(kind="folder", **where, classes=classes, **keys)
    return index_of(data, "train", masks_to=root / "out.masks")


def written(index: Index) -> np.ndarray:
    """The first mask, as later stages read it."""
    assert index.records[0].mask is not None
    return read_mask(index.records[0].mask)


@pytest.mark.parametrize(
    ("pixels", "mode", "table"),
    [
        (VALUES * 100, None, {"0": "background", "100": "cat", "200": "dog"}),
        (VALUES * 100, "RGB", {"0": "background", "100": "cat", "200": "dog"}),
        (COLORS[VALUES], None, {"#000000": "background", "#fa3253": "cat", "12, 34, 56": "dog"}),
        (COLORS[VALUES], "RGBA", Path("labelmap.txt")),
        (COLORS[VALUES], "P", Path("labelmap.txt")),
        (COLORS[VALUES], None, Path("colors.csv")),
    ],
)
def test_masks_become_class_values(
    root: Path, pixels: np.ndarray, mode: str | None, table: dict[str, str] | Path
) -> None:
    write_text("labelmap.txt", LABELMAP)
    write_text("colors.csv", "name,r,g,b\nbackground,0,0,0\ncat,#fa3253\ndog;12;34;56\n")
    save(pixels, mode)
    index = indexed(root, mask_values=table)
    assert np.array_equal(written(index), VALUES)
    assert index.records[0].mask == root / "out.masks" / "a.png"
    with Image.open(root / "out.masks" / "a.png") as image:
        assert image.mode == "P" and image.getpalette() == voc_palette().ravel().tolist()


def test_plain_masks_stay_where_they_are(root: Path) -> None:
    save(VALUES)
    assert indexed(root).records[0].mask == Path("masks/a.png") and not (root / "out.masks").exists()


def test_binary_masks_of_one_class(root: Path) -> None:
    write_text("labels.csv", "image,labels,split\na,cell,train\nb,cell,train\n")
    binary = np.uint8(255) * (VALUES > 0)
    save(binary)
    hint = r"\{0: background, 255: cell\} \(wsss init: --mask-values 0=background,255=cell\)"
    with pytest.raises(UserError, match=rf"'cell' .* occurs in no mask.*masks hold 0, 255\..*{hint}"):
        indexed(root, ("cell",))
    for mode in (None, "1"):
        save(binary, mode)
        index = indexed(root, ("cell",), mask_values={"0": "background", "255": "cell"})
        assert np.array_equal(written(index), VALUES > 0)
    assert np.array_equal(written(indexed(root, ("cell",))), VALUES > 0), "one bit a pixel says it itself"


def test_masks_of_ignored_pixels_only_score_nothing(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    void = np.full_like(VALUES, 255)
    save(void, other=void)
    with pytest.raises(UserError, match=r"the masks hold 255 \(ignored\) only: no pixel can be scored"):
        indexed(root)
    save(VALUES, other=void)
    assert len(indexed(root)) == 2


def test_masks_that_show_no_class_of_a_split_without_labels(root: Path) -> None:
    write_text("labels.csv", "image,labels,split\na,,train\nb,,train\n")
    save(np.uint8(255) * (VALUES > 0))
    with pytest.raises(UserError, match=r"the masks show no class: they hold 0, 255"):
        indexed(root, ("cell",))
    save(np.uint8(200) * (VALUES > 0), "RGB")
    with pytest.raises(UserError, match=r"color table; .* unless dataset.mask_values says"):
        indexed(root, ("cell",))
    save(np.uint8(128) * (VALUES > 0))
    with pytest.raises(UserError, match=r"mask holds \[128\]; .* unless dataset.mask_values says"):
        indexed(root, ("cell",))


def test_a_labeled_class_that_no_mask_shows(root: Path) -> None:
    save(np.minimum(VALUES, 1))
    with pytest.raises(
        UserError, match=r"class 'dog' \(mask value 2\) occurs in no mask, though 1 of the images"
    ):
        indexed(root)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"0": "background", "7": "fox"}, "7: 'fox' is no class; allowed are background, ignore, cat, dog"),
        ({"300": "cat"}, "'300': must be a value from 0 to 255, or a color as #ff8000"),
        ({"0": "background", "#ff0000": "cat"}, "lists both values and colors"),
        ({"0": "background", "1": "cat"}, r"a.png: mask holds the values 2; dataset.mask_values lists 0, 1"),
        ({"#000000": "background"}, r"a.png: mask holds the colors #010101 \(1,1,1\), #020202"),
    ],
)
def test_a_table_that_does_not_fit_is_named(root: Path, table: dict[str, str], said: str) -> None:
    save(VALUES)
    with pytest.raises(UserError, match=said):
        indexed(root, mask_values=table)


def test_a_labelmap_is_read_or_named(root: Path) -> None:
    write_text("labelmap.txt", LABELMAP)
    assert [name for _, name in read_labelmap(Path("labelmap.txt"))] == ["background", "cat", "dog"]
    for text, said in (
        ("cat\n", "no colors|labelmap.txt:1"),
        ("x:1,2,3\ny:1,2\n", "labelmap.txt:2: 'y:1,2'"),
    ):
        write_text("labelmap.txt", text)
        with pytest.raises(UserError, match=said):
            read_labelmap(Path("labelmap.txt"))
    with pytest.raises(UserError, match=r"gone.txt: no such file"):
        mask_form(Path("gone.txt"), ("cat",), orientation="auto")


def test_cvats_export_in_vocs_layout(root: Path) -> None:
    """Its labelmap.txt names classes and colors, and lies in the root."""
    write_text("voc/labelmap.txt", LABELMAP)
    write_text("voc/ImageSets/Segmentation/default.txt", "a\n")
    write_png("voc/JPEGImages/a.png", np.zeros((2, 3, 3), np.uint8))
    write_png("voc/SegmentationClass/a.png", COLORS[VALUES])
    data = VocDataset(kind="voc", root=Path("voc"), train="default")
    index = index_of(data, "default", masks_to=root / "out.masks")
    assert index.classes == ("cat", "dog") and np.array_equal(written(index), VALUES)
