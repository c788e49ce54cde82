"""Images in train and in val: found by file and by content, in every kind of data set."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from wsss.config import CocoDataset, DatasetConfig, FolderDataset, VocDataset
from wsss.data.datasets import index_of
from wsss.data.splits import require_separate, shared_images
from wsss.errors import UserError
from wsss.store.files import write_png, write_text

KINDS = ("folder", "voc", "coco")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def photograph(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    write_png(path, pixels)


def coco(split: str, names: tuple[str, ...]) -> None:
    images = [{"id": i, "file_name": f"{name}.png", "height": 8, "width": 9} for i, name in enumerate(names)]
    found = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    write_text(f"coco/annotations/instances_{split}.json", json.dumps(found))


def data_set(kind: str, *, copy: bool, same: bool, allow: bool = False) -> DatasetConfig:
    """Images a, b of train and c of val. copy: b has the bytes of c. same: a is in val, too."""
    root = {"folder": Path("photos"), "voc": Path("voc/JPEGImages"), "coco": Path("coco/JPEGImages")}[kind]
    for seed, name in enumerate("abc"):
        photograph(root / f"{name}.png", seed)
    if copy:
        shutil.copy(root / "c.png", root / "b.png")
    val = ("a", "c") if same else ("c",)
    if kind == "folder":
        rows = ["a,cat,train", "b,cat,train", *(f"{name},cat,val" for name in val)]
        write_text("labels.csv", "\n".join(["image,labels,split", *rows]))
        where = {"images": Path("photos"), "labels": Path("labels.csv")}
        return FolderDataset(kind="folder", **where, allow_overlap=allow)
    if kind == "voc":
        for split, names in (("train", ("a", "b")), ("val", val)):
            write_text(f"voc/ImageSets/Segmentation/{split}.txt", "\n".join(names))
        return VocDataset(kind="voc", root=Path("voc"), train="train", allow_overlap=allow)
    coco("train", ("a", "b"))
    coco("val", val)
    return CocoDataset(kind="coco", root=Path("coco"), train="train", val="val", allow_overlap=allow)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("split", ["train", "val"])
def test_splits_that_share_nothing(kind: str, split: str) -> None:
    data = data_set(kind, copy=False, same=False)
    require_separate(data, index_of(data, split))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("split", ["train", "val"])
def test_an_image_in_both(kind: str, split: str, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("wsss").propagate = True
    data = data_set(kind, copy=False, same=True)
    other = {"train": "val", "val": "train"}[split]
    said = rf"1 of 2 images of {split} are also in {other}.*\n  a \(.*a\.png\)\n.*dataset.allow_overlap: true"
    with pytest.raises(UserError, match=said):
        require_separate(data, index_of(data, split))
    allowed = data_set(kind, copy=False, same=True, allow=True)
    require_separate(allowed, index_of(allowed, split))
    assert "which dataset.allow_overlap accepts" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_under_another_name(kind: str) -> None:
    data = data_set(kind, copy=True, same=False)
    with pytest.raises(UserError, match=r"b \(.*b\.png\) has the bytes of c \(.*c\.png\)"):
        require_separate(data, index_of(data, "train"))


def test_the_key_changes_no_digest() -> None:
    for kind in KINDS:
        differences = [
            data_set(kind, copy=False, same=False, allow=allow).differences() for allow in (False, True)
        ]
        assert differences[0] == differences[1], kind


def test_one_name_in_two_folders_is_another_image() -> None:
    """COCO's splits have folders of their own, and exports number the files of each from 1."""
    for split, seed in (("train", 1), ("val", 2)):
        photograph(Path("coco", split, "0001.png"), seed)
        coco(split, ("0001",))
    data = CocoDataset(kind="coco", root=Path("coco"), train="train", val="val")
    require_separate(data, index_of(data, "train"))


def test_only_files_of_one_size_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"a": 600, "b": 700, "c": 600, "d": 600}
    for name, size in sizes.items():
        Path(name).write_bytes(bytes(size - 1) + name.encode())
    shutil.copy("d", "e")
    opened = []
    real = open

    def count(path: Path, mode: str) -> object:
        opened.append(path.name)
        return real(path, mode)

    monkeypatch.setattr("wsss.data.splits.open", count, raising=False)
    here, there = ({name: Path(name) for name in names} for names in ("abd", "ce"))
    assert list(shared_images(here, there)) == ["d (d) has the bytes of e (e)"]
    assert "b" not in opened and opened.count("c") == opened.count("a") == 1
