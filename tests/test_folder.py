"""Photographs of one's own: the table, its splits and classes, and what is told of what does not fit."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wsss.config import FolderDataset
from wsss.data.folder import classes_of, find_images, folder_index, in_split
from wsss.data.tables import read_table
from wsss.errors import UserError
from wsss.store.files import write_png, write_text

TABLE = "image,labels\na.png,dog; Cat\nb,dog\nsub/c.jpg,\nsub/d,Cat|dog\ne.png,ape\n"
NAMES = ("a.png", "b.png", "sub/c.png", "sub/d.png", "e.png")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five photographs, two of them in a directory within, and a file that is none."""
    for name in NAMES:
        write_png(tmp_path / "photos" / name, np.zeros((20, 30, 3), np.uint8))
    write_text(tmp_path / "photos" / "notes.txt", "x")
    return tmp_path / "photos"


def data_set(photos: Path, table: str = TABLE, **keys: Any) -> FolderDataset:
    labels = photos.parent / "labels.csv"
    write_text(labels, table.replace("c.jpg", "c.png"))
    return FolderDataset(kind="folder", images=photos, labels=labels, **keys)


def test_a_table_is_read(tmp_path: Path) -> None:
    write_text(tmp_path / "l.csv", "\ufeffImage,labels,note\n\na.png,dog; Cat;dog,x\n b ,,\n")
    first, second = read_table(tmp_path / "l.csv")
    assert (first.image, first.labels, first.split, first.line) == ("a.png", ("dog", "Cat"), None, 3)
    assert (second.image, second.labels) == ("b", ())


@pytest.mark.parametrize(
    "text",
    [
        "image;labels\na;dog,cat\n",
        "image\tlabels\na\tdog|cat\n",
        'image,labels\na,"dog, cat"\n',
        "labels,image\ndog;cat,a\n",
    ],
)
def test_every_spreadsheets_csv_is_read(tmp_path: Path, text: str) -> None:
    write_text(tmp_path / "l.csv", text)
    (row,) = read_table(tmp_path / "l.csv")
    assert (row.image, row.labels) == ("a", ("dog", "cat"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"columns are \(none\); they must be image and labels"),
        ("file,class\na,b\n", "columns are file, class; they must be"),
        ("image,labels\n", "lists no images"),
        ("image,labels\na,dog,cat\n", "l.csv:2: 3 cells, not 2"),
        ("image,labels,split\na,dog,\n", "l.csv:2: split ''"),
    ],
)
def test_another_table_is_named(tmp_path: Path, text: str, said: str) -> None:
    write_text(tmp_path / "l.csv", text)
    with pytest.raises(UserError, match=said):
        read_table(tmp_path / "l.csv")


def test_a_table_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"l\.csv: no such file"):
        read_table(tmp_path / "l.csv")
    (tmp_path / "l.csv").write_bytes(b"image,labels\n\xff\xfe")
    with pytest.raises(UserError, match=r"l\.csv: not a text file in UTF-8"):
        read_table(tmp_path / "l.csv")


def test_classes_are_found_and_ordered(photos: Path) -> None:
    data = data_set(photos)
    assert classes_of(read_table(data.labels)) == ("ape", "Cat", "dog")
    assert folder_index(data, "train").classes == ("ape", "Cat", "dog")
    chosen = data_set(photos, classes=("dog", "ape", "Cat"))
    assert folder_index(chosen, "train").classes == ("dog", "ape", "Cat")


def test_splits_are_drawn_with_a_seed_and_share_out_the_images(photos: Path) -> None:
    def ids(split: str, **keys: Any) -> list[str]:
        return [record.id for record in folder_index(data_set(photos, **keys), split)]

    train, val = ids("train", val_share=0.4), ids("val", val_share=0.4)
    assert sorted(train + val) == ["a", "b", "e", "sub_c", "sub_d"] and len(val) == 2
    assert ids("val", val_share=0.4) == val
    assert len({tuple(ids("val", val_share=0.4, seed=seed)) for seed in range(9)}) > 3
    assert len(ids("val", val_share=0.01)) == 1, "one at least"


def test_another_image_moves_hardly_any(photos: Path) -> None:
    write_text(photos.parent / "l.csv", "image,labels\n" + "".join(f"{i},dog\n" for i in range(200)))
    before = read_table(photos.parent / "l.csv")
    after = before[:100] + before[101:]
    chosen = [{row.image for row in in_split(rows, "val", val_share=0.2, seed=0)} for rows in (before, after)]
    assert len(chosen[0]) == len(chosen[1]) == 40 and len(chosen[0] ^ chosen[1]) <= 2


def test_splits_may_be_given(photos: Path) -> None:
    data = data_set(photos, "image,labels,split\na,dog,train\nb,cat,val\ne,cat,test\n")
    for split, expected in {"train": "a", "val": "b", "test": "e"}.items():
        assert [record.id for record in folder_index(data, split)] == [expected]
    with pytest.raises(UserError, match="its splits are test, train, val"):
        folder_index(data, "extra")


def test_masks_of_some(photos: Path) -> None:
    for name, value in (("a", 1), ("sub/c", 0)):
        write_png(photos.parent / "masks" / f"{name}.png", np.full((20, 30), value, np.uint8))
    table = "image,labels,split\na,dog,train\nb,dog,train\nsub/c,,train\n"
    data = data_set(photos, table, masks=photos.parent / "masks", classes=("dog",))
    index = folder_index(data, "train", digest="d")
    assert [record.mask is not None for record in index] == [True, False, True]
    assert [record.labels for record in index] == [("dog",), ("dog",), ()] and index.digest == "d"


def test_what_does_not_fit_is_told_at_once(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("wsss").propagate = True
    table = "image,labels,split\na,wolf,train\nz.jpg,dog,train\nb,dog,train\nb.png,dog,train\n"
    with pytest.raises(UserError) as caught:
        folder_index(data_set(photos, table, classes=("dog",)), "train")
    for part in ("labels.csv:3: z.jpg: no such image in", "unknown class 'wolf'", "b: occurs twice"):
        assert part in str(caught.value)
    assert "lists no labels of 3 images, which are not used: e, sub/c, sub/d" in caplog.text


def test_images_that_cannot_be_told_apart(photos: Path) -> None:
    write_png(photos / "a.PNG", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(UserError, match="has the same name"):
        find_images(photos)
    (photos.parent / "empty").mkdir()
    for name, said in (("empty", "no images"), ("nowhere", "no such directory")):
        with pytest.raises(UserError, match=said):
            find_images(photos.parent / name)


# --- names, formats, links ---


def test_names_in_both_forms_of_unicode_match(tmp_path: Path) -> None:
    composed, split = "M\u00fcller", "Mu\u0308ller"
    for name, value in ((split, 1), ("x", 2)):
        write_png(tmp_path / "photos" / f"{name}.png", np.full((20, 30, 3), value, np.uint8))
    write_png(tmp_path / "masks" / f"{composed}.PNG", np.ones((20, 30), np.uint8))
    table = f"image,labels,split\n{composed}.png,K\u00e4fer,train\nx,Ka\u0308fer,train\n"
    masks = {"masks": tmp_path / "masks", "classes": ("Ka\u0308fer",)}
    index = folder_index(data_set(tmp_path / "photos", table, **masks), "train")
    assert [record.id for record in index] == [composed, "x"] and index.classes == ("K\u00e4fer",)
    assert index.records[0].mask == tmp_path / "masks" / f"{composed}.PNG"


def test_linked_folders_are_followed_and_cycles_are_not(photos: Path, tmp_path: Path) -> None:
    photos.rename(tmp_path / "disk")
    photos.mkdir()
    (photos / "batch").symlink_to("../disk")
    (tmp_path / "disk" / "sub" / "round").symlink_to("../..")
    assert list(find_images(photos)) == [
        f"batch/{name[:-4]}" for name in ("a.png", "b.png", "e.png", "sub/c.png", "sub/d.png")
    ]


def test_links_that_lead_nowhere_are_named(photos: Path) -> None:
    (photos / "gone.png").symlink_to("nowhere.png")
    (photos / "loop.png").symlink_to("loop.png")
    table = "image,labels,split\na,dog,train\ngone,dog,train\nloop,dog,train\n"
    with pytest.raises(UserError, match=r"(?s)gone: .*gone.png: no such image.*loop: .*loop.png") as caught:
        folder_index(data_set(photos, table), "train")
    assert "2 faults" in str(caught.value)


def test_every_format_is_read_or_named(photos: Path, tmp_path: Path) -> None:
    image = Image.fromarray(np.zeros((20, 30, 3), np.uint8))
    for suffix in ("JPG", "avif", "jfif", "gif", "WebP", "tga"):
        kind = Image.registered_extensions()[f".{suffix.lower()}"]
        image.save(photos / f"f{suffix}.{suffix}", format=kind)
        assert f"f{suffix}" in find_images(photos)
    for name in ("i.HEIC", "r.CR2", "v.svg", "t.txt"):
        (photos / name).write_bytes(b"x")
    table = (
        "image,labels,split\ni.heic,dog,train\nr,dog,train\nv.svg,dog,train\nt.txt,dog,train\nu,dog,train\n"
    )
    with pytest.raises(UserError) as caught:
        folder_index(data_set(photos, table), "train")
    for part in (
        "labels.csv:2: i.heic: i.HEIC is there, but HEIC: not read; install pillow-heif",
        "labels.csv:3: r: r.CR2 is there, but raw camera format: not read; convert it to JPEG or PNG",
        "labels.csv:4: v.svg: v.svg is there, but SVG: not read; convert it",
        "labels.csv:5: t.txt: t.txt is there, but no image format that is read",
        "labels.csv:6: u: no such image in",
    ):
        assert part in str(caught.value)
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "a.heic").write_bytes(b"x")
    with pytest.raises(UserError, match=r"phone: no images \(.*HEIC: not read; install pillow-heif"):
        find_images(tmp_path / "phone")


def test_the_common_format_of_a_photograph_is_taken(photos: Path) -> None:
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(photos / "a.gif")
    assert find_images(photos)["a"].name == "a.png"


def test_rows_of_other_splits_are_told(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("wsss").propagate = True
    table = "image,labels,split\na,dog,train\nb,cat,val\ne,cat,test\nsub/c,cat,Train\nsub/d,cat,test\n"
    assert len(folder_index(data_set(photos, table), "train")) == 1
    assert "rows of other splits than train and val are not used: 1 of Train, 2 of test" in caplog.text


@pytest.mark.parametrize(
    "pair", [("Cat", "cat"), ("red bus", "redbus"), ("Red bus", "red  bus"), ("cat", "cat\u200b")]
)
def test_classes_that_differ_by_case_or_blanks_are_refused(photos: Path, pair: tuple[str, str]) -> None:
    table = f"image,labels,split\na,{pair[0]},train\nb,{pair[1]},train\n"
    said = "classes '.*' and '.*' differ by case or blanks only"
    with pytest.raises(UserError, match=said) as caught:
        folder_index(data_set(photos, table), "train")
    assert all(repr(name) in str(caught.value) for name in pair)


def test_masks_that_are_no_masks_are_named(photos: Path, tmp_path: Path) -> None:
    keys = {"masks": tmp_path / "masks", "classes": ("dog",)}
    table = "image,labels,split\na,dog,train\n"
    with pytest.raises(UserError, match="masks: no such directory; it should hold the masks"):
        folder_index(data_set(photos, table, **keys), "train")
    (tmp_path / "masks").mkdir()
    Image.new("L", (30, 20)).save(tmp_path / "masks" / "a.jpg")
    with pytest.raises(UserError, match=r"a\.jpg: a mask must be a PNG, whose values nothing changes"):
        folder_index(data_set(photos, table, **keys), "train")


def test_an_id_is_a_file_name_wherever_the_image_lies(photos: Path) -> None:
    deep = Path(*["d" * 100] * 3, "x.png")
    write_png(photos / deep, np.full((20, 30, 3), 9, np.uint8))
    table = f"image,labels,split\n{deep},dog,train\n"
    (record,) = folder_index(data_set(photos, table), "train")
    assert len(record.id) == 250 and record.image == photos / deep
