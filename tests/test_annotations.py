"""Annotations of other tools are recognized: what is exported comes back, what people have is understood."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.label_maps import CLASSES, label_maps, source_under

from wsss import cli
from wsss.data.palette import read_mask
from wsss.data.tables import read_table
from wsss.errors import UserError
from wsss.exports.formats import FORMATS
from wsss.exports.formats.label_studio import encode
from wsss.exports.label_maps import export_label_maps
from wsss.imports.annotations import read_any, read_file
from wsss.imports.annotations.label_studio import decoded
from wsss.imports.photographs import Understood, understand
from wsss.runs.run import load_run
from wsss.store.files import write_json, write_png, write_text


def photo(path: Path, size: tuple[int, int] = (20, 30)) -> None:
    """A photograph whose bytes are those of no other path."""
    write_png(path, np.full((*size, 3), sum(str(path).encode()) % 251, np.uint8))


def labels_of(found: Understood) -> dict[str, tuple[str, ...]]:
    return {Path(row.image).stem: row.labels for row in read_table(found.labels)}


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "voc"])
def test_what_leaves_comes_back(form: str, tmp_path: Path) -> None:
    export_label_maps(source_under(tmp_path / "photos"), form, tmp_path / "e", images="copy", progress=False)
    if form == "label-studio":
        tasks = json.loads((tmp_path / "e/tasks.json").read_text(encoding="utf-8"))
        submitted = [{"data": task["data"], "annotations": task["predictions"]} for task in tasks]
        write_json(tmp_path / "e/tasks.json", submitted)
    found = understand(tmp_path / "e", None, tmp_path / "out")
    expected = {
        name: tuple(CLASSES[value - 1] for value in (1, 2) if (mask == value).any())
        for name, mask in label_maps().items()
    }
    read = labels_of(found)
    assert {name: set(labels) for name, labels in read.items()} == {
        name: set(labels) for name, labels in expected.items()
    }
    order = [0, *(found.classes.index(name) + 1 for name in CLASSES)]
    for name, mask in label_maps().items():
        (path,) = (found.masks or tmp_path).rglob(f"{name}.png")
        got, wanted = read_mask(path), np.array([*order, *[0] * 252, 255])[mask]
        ignored = wanted == 255
        assert (got == wanted)[~ignored].mean() > (0.97 if form != "images+masks" else 0.9999), name
    assert any("show none of them" in line for line in found.said)


def test_label_studio_run_lengths_are_exact() -> None:
    for mask in label_maps().values():
        np.testing.assert_array_equal(decoded(encode(mask == 1), mask.shape), mask == 1)
    with pytest.raises(UserError, match="a brush mask of 4800 pixels in a photograph of 7 x 7"):
        decoded(encode(mask == 1), (7, 7))


@pytest.mark.parametrize(
    ("names", "labels", "said"),
    [
        (["cat/1", "cat/2", "dog/1", "none/1"], {"cat", "dog"}, "a folder per class"),
        (["train/cat/1", "val/cat/2", "train/dog/3"], {"cat", "dog"}, "within splits"),
        (["north/cat/1", "south/cat/2", "north/dog/3", "south/dog/4"], {"cat", "dog"}, "the innermost"),
        (["cat/monday/1", "cat/tuesday/2", "dog/friday/3"], {"cat", "dog"}, "a folder per class"),
    ],
)
def test_folders_are_classes(tmp_path: Path, names: list[str], labels: set[str], said: str) -> None:
    for name in names:
        photo(tmp_path / "in" / f"{name}.png")
    found = read_any(tmp_path / "in")
    assert set(found.classes) == labels and said in found.form and len(found.entries) == len(names)
    assert sum(not entry.labels for entry in found.entries) == sum("none/" in name for name in names)


def test_a_photograph_in_two_folders_has_both_classes(tmp_path: Path) -> None:
    for folder in ("cat", "dog"):
        write_png(tmp_path / folder / "both.png", np.full((8, 8, 3), 7, np.uint8))
        photo(tmp_path / folder / "one.png")
    labels = sorted(entry.labels for entry in read_any(tmp_path).entries)
    assert labels == [("cat",), ("cat", "dog"), ("dog",)]


def coco(directory: Path) -> None:
    square = [2, 2, 12, 2, 12, 12, 2, 12]
    things = [{"image_id": 1, "category_id": 5, "bbox": [2, 2, 10, 10], "segmentation": [square]}]
    things += [{"image_id": 2, "category_id": 9, "bbox": [0, 0, 5, 5]}]
    write_json(
        directory / "instances.json",
        {
            "images": [
                {"id": n, "file_name": f"{name}.png", "width": 30, "height": 20}
                for n, name in enumerate("abc", 1)
            ],
            "categories": [{"id": 5, "name": "cat"}, {"id": 9, "name": "dog"}],
            "annotations": [{"id": n, "iscrowd": 0, "area": 1, **thing} for n, thing in enumerate(things)],
        },
    )


def yolo(directory: Path) -> None:
    write_text(directory / "classes.txt", "cat\ndog\n")
    write_text(directory / "labels/a.txt", "0 0.1 0.1 0.4 0.1 0.4 0.6 0.1 0.6\n")
    write_text(directory / "labels/b.txt", "1 0.5 0.5 0.2 0.2\n")
    write_text(directory / "labels/c.txt", "")


def cvat(directory: Path) -> None:
    shapes = ['<polygon label="cat" points="2,2;12,2;12,12;2,12"/>', '<box label="dog" xtl="0" ytl="0"/>', ""]
    images = [
        f'<image id="{n}" name="{name}.png" width="30" height="20">{shape}</image>'
        for n, (name, shape) in enumerate(zip("abc", shapes, strict=True))
    ]
    write_text(directory / "annotations.xml", f"<annotations><meta/>{''.join(images)}</annotations>")


def label_studio(directory: Path) -> None:
    size = {"original_width": 30, "original_height": 20}
    points = [[7, 10], [40, 10], [40, 60], [7, 60]]
    outline = {"type": "polygonlabels", "value": {"points": points, "polygonlabels": ["cat"]}, **size}
    choice = {"type": "choices", "value": {"choices": ["dog"]}}
    results: list[list[dict[str, Any]]] = [[outline], [choice], []]
    tasks = [
        {"data": {"image": f"/data/upload/3/0123abcd-{name}.png"}, "annotations": [{"result": result}]}
        for name, result in zip("abc", results, strict=True)
    ]
    skipped = {"data": {"image": "d.png"}, "annotations": [{"result": [], "was_cancelled": True}]}
    write_json(directory / "export.json", [*tasks, skipped])


@pytest.mark.parametrize("write", [coco, yolo, cvat, label_studio])
def test_outlines_boxes_and_nothing(tmp_path: Path, write: Callable[[Path], None]) -> None:
    """a has an outline, b a box or a choice, c nothing, and of d nothing is said."""
    for name in "abcd":
        photo(tmp_path / "in" / f"{name}.png")
    write(tmp_path / "in")
    found = understand(tmp_path / "in", None, tmp_path / "out")
    assert labels_of(found) == {"a": ("cat",), "b": ("dog",), "c": ()} and found.classes == ("cat", "dog")
    assert sorted(path.name for path in (tmp_path / "out/painted").iterdir()) == ["a.png", "c.png"]
    mask = read_mask(tmp_path / "out/painted/a.png")
    assert mask.shape == (20, 30) and set(np.unique(mask)) == {0, 1} and 85 < (mask == 1).sum() < 125
    assert "1 photographs are not annotated, and are not used" in found.said


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.zip", "", "unpack the archive"),
        ("a.json", "{}", "of no known form; known are COCO or Label Studio"),
        ("a.xml", "<x/>", "of no known form"),
        (
            "a.xml",
            "<annotations><image name='a'><polygon label='c' points='1'/></image></annotations>",
            "a: a shape does not fit",
        ),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: str, said: str) -> None:
    write_text(tmp_path / name, content)
    with pytest.raises(UserError, match=said):
        read_file(tmp_path / name)


def test_yolo_faults_are_named(tmp_path: Path) -> None:
    yolo(tmp_path)
    for line, said in [
        ("7 0 0 1 1", "class 7; there are 2"),
        ("0 0 0 1", "3 numbers; a box has 4"),
        ("cat", "must be a class"),
    ]:
        write_text(tmp_path / "labels/b.txt", f"0 0.5 0.5 0.1 0.1\n{line}\n")
        with pytest.raises(UserError, match=rf"b\.txt:2: .*{said}"):
            read_any(tmp_path)


def test_init_asks_for_nothing_that_it_sees(
    here: None, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for number in range(12):
        photo(tmp_path / f"fields/{('wheat', 'poppy', 'none')[number % 3]}/{number}.png", (64, 80))
    assert cli.main(["init", "fields"]) == 0
    said = capsys.readouterr().out
    assert "understood as a folder per class: 2 classes, poppy (4), wheat (4)" in said
    assert "4 photographs show none of them" in said and "used as negatives" in said
    assert Path("data/fields/classes.png").is_file()
    data = load_run("fields").config.dataset
    assert data.kind == "folder" and data.classes == ("poppy", "wheat") and data.negatives == "use"
    for number in range(3):
        photo(tmp_path / f"flat/{number}.png")
    assert cli.main(["init", "flat"]) == 1
    assert "3 of 3 photographs are in no class's folder" in capsys.readouterr().err
