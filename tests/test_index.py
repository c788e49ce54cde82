"""The index: checked once, all faults at once, read back as written."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss.data.index import Index, Record
from wsss.data.indexing import build_index
from wsss.data.palette import voc_palette
from wsss.errors import UserError
from wsss.store.files import read_json, write_png

CLASSES = ("cat", "dog", "red bus")


def record(directory: Path, name: str, labels: tuple[str, ...] = (), value: int | None = None) -> Record:
    """An image of 5 by 4 pixels, with a mask of one value if one is given."""
    write_png(directory / f"{name}.png", np.zeros((4, 5, 3), np.uint8))
    mask = None
    if value is not None:
        mask = directory / f"{name}_mask.png"
        write_png(mask, np.full((4, 5), value, np.uint8), voc_palette())
    return Record(name, directory / f"{name}.png", mask, labels)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    records = [
        record(tmp_path, "a", ("cat",), 1),
        record(tmp_path, "b", ("dog", "red bus"), 2),
        record(tmp_path, "c"),
        record(tmp_path, "d,e", ("cat", "dog"), 0),
        record(tmp_path, "ü", ("dog",), 3),
    ]
    return build_index(records, CLASSES, "train", digest="abc")


def test_labels_are_multi_hot(index: Index) -> None:
    labels = index.labels()
    assert labels.dtype == np.float32
    assert labels.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 0], [1, 1, 0], [0, 1, 0]]


def test_is_read_as_written(index: Index, tmp_path: Path) -> None:
    index.write(tmp_path / "out" / "train.csv")
    assert Index.read(tmp_path / "out" / "train.csv") == index
    assert read_json(tmp_path / "out" / "train.json") == {
        "split": "train",
        "digest": "abc",
        "classes": list(CLASSES),
        "images": 5,
        "largest_image": {"height": 4, "width": 5},
        "with_mask": 4,
        "without_labels": 1,
        "images_per_class": {"cat": 2, "dog": 3, "red bus": 1},
    }
    assert (tmp_path / "out" / "train.csv").read_text().startswith("id,image,mask,labels\na,")


def test_paths_stay_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    index = build_index([record(Path("data"), "a", ("cat",), 1)], CLASSES, "train")
    index.write("train.csv")
    assert Path("train.csv").read_text() == "id,image,mask,labels\na,data/a.png,data/a_mask.png,cat\n"


def test_shards_share_out_the_images_by_position(index: Index) -> None:
    shards = [index.shard(i, 3) for i in range(3)]
    assert [[r.id for r in shard] for shard in shards] == [["a", "d,e"], ["b", "ü"], ["c"]]
    assert all(shard.classes == index.classes and shard.digest == "abc" for shard in shards)
    assert len(index.shard(6, 7)) == 0
    with pytest.raises(ValueError, match="shard 3 of 3"):
        index.shard(3, 3)


def test_every_fault_is_reported_at_once(tmp_path: Path) -> None:
    good = record(tmp_path, "good", ("cat",), 1)
    small = record(tmp_path, "small", (), 0)
    write_png(tmp_path / "small_mask.png", np.zeros((5, 4), np.uint8))
    broken = record(tmp_path, "broken")
    broken.image.write_bytes(b"not an image")
    lost = record(tmp_path, "lost", (), 0)
    assert lost.mask
    lost.mask.unlink()
    records = [
        good,
        record(tmp_path, "foreign", ("cat", "cow")),
        record(tmp_path, "wrong", (), 4),
        small,
        broken,
        lost,
        Record("absent", tmp_path / "absent.jpg", None, ()),
        good,
    ]
    with pytest.raises(UserError) as caught:
        build_index(records, CLASSES, "train", faults=["x: said before"])
    lines = str(caught.value).splitlines()
    assert lines[0] == "split train: 8 faults"
    expected = (
        "x: said before",
        "foreign: unknown class 'cow'; known are cat, dog, red bus",
        "wrong_mask.png: mask holds [4]; allowed are 0..3 and 255",
        "small_mask.png: mask is 4x5 but",
        "broken.png: image does not open",
        "lost_mask.png: mask does not open",
        "absent.jpg: no such image",
        "good: occurs twice",
    )
    for line, part in zip(lines[1:], expected, strict=True):
        assert part in line


def test_many_faults_are_counted(tmp_path: Path) -> None:
    records = [Record(str(n), tmp_path / f"{n}.jpg", None, ()) for n in range(50)]
    with pytest.raises(UserError) as caught:
        build_index(records, CLASSES, "val")
    lines = str(caught.value).splitlines()
    assert lines[0] == "split val: 50 faults"
    assert len(lines) == 22 and lines[-1].strip() == "and 30 more"


def test_each_file_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [record(tmp_path, name, ("cat",), 1) for name in "abc"]
    opened: list[str] = []
    real = Image.open

    def count(path: Path) -> Image.Image:
        opened.append(Path(path).name)
        return real(path)

    monkeypatch.setattr(Image, "open", count)
    build_index(records, CLASSES, "train")
    assert sorted(opened) == sorted(f"{name}{end}.png" for name in "abc" for end in ("", "_mask"))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ((), "0 classes"),
        (("a", "a"), "named twice"),
        (("a;b",), "may not hold"),
        (("a\tb",), r"class 'a\\tb': holds '\\t', which is no text; remove it"),
        (("\ud83d",), "which is no text"),
        (tuple(map(str, range(255))), "255 classes; a mask can tell 1 to 254"),
    ],
)
def test_classes_are_checked(tmp_path: Path, classes: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_index([record(tmp_path, "a")], classes, "train")


def test_an_empty_split_is_a_fault() -> None:
    with pytest.raises(UserError, match=r"split empty: 1 fault\n.*no images"):
        build_index([], CLASSES, "empty")


def test_damaged_files_are_named(index: Index, tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    with pytest.raises(UserError, match=r"train\.json: no such file"):
        Index.read(path)
    index.write(path)
    text = path.read_text()
    path.write_text(text.replace("red bus", "cow").replace("c,", "c,,", 1))
    with pytest.raises(
        UserError, match=r"(?s)train\.csv: 2 faults.*line 3: unknown class 'cow'.*line 4: 5 cells"
    ):
        Index.read(path)
    path.write_text("".join(text.splitlines(keepends=True)[:-1]))
    with pytest.raises(UserError, match=r"4 images, but train\.json counts 5"):
        Index.read(path)
    path.write_text("name,file\n")
    with pytest.raises(UserError, match=r"columns are name, file; they must be id, image, mask, labels"):
        Index.read(path)
    path.unlink()
    with pytest.raises(UserError, match=r"train\.csv: no such index"):
        Index.read(path)
    (tmp_path / "train.json").write_text('{"split": "train"}')
    with pytest.raises(UserError, match=r"train\.json: must hold split, digest, classes, images"):
        Index.read(path)
