"""Corrections come back as a run of their own: what they change is made again, all else is reused."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.chain import Toy
from support.folder_run import SIZE, make_mine, square
from support.report import report_page

from wsss import cli
from wsss.config import PseudoLabelsConfig
from wsss.data.datasets import index_of
from wsss.data.index import Index
from wsss.data.palette import read_mask, voc_palette
from wsss.errors import UserError
from wsss.exports.formats.label_studio import encode
from wsss.figures.numbers import Number
from wsss.inference.label_making import pseudo_labels
from wsss.report.compare import Line
from wsss.report.corrections import corrections_of
from wsss.runs.run import Run, load_run
from wsss.store.files import write_json, write_png, write_text


@pytest.fixture
def run(here: None, tmp_path: Path) -> Run:
    return make_mine(tmp_path)


def brush(mask: np.ndarray, name: str) -> dict[str, Any]:
    value = {"format": "rle", "rle": encode(mask), "brushlabels": [name]}
    size = {"original_width": SIZE[1], "original_height": SIZE[0]}
    return {"type": "brushlabels", "value": value, **size}


def choice(name: str) -> dict[str, Any]:
    return {"type": "choices", "value": {"choices": [name]}}


def tasks(**results: list[dict[str, Any]]) -> Path:
    """An export of Label Studio. results: by the file's name."""
    made = [
        {"data": {"image": f"/data/local-files/?d=images/{name}.png"}, "annotations": [{"result": result}]}
        for name, result in results.items()
    ]
    write_json("back.json", made)
    return Path("back.json")


def imported(*arguments: str, status: int = 0) -> None:
    assert cli.main(["corrections", "import", *arguments, "--run", "mine"]) == status


def test_masks_replace_pseudo_labels_alone(run: Run, capsys: pytest.CaptureFixture) -> None:
    drawn = np.zeros(SIZE, bool)
    drawn[2:20, 2:20] = True
    imported(str(tasks(f_a=[brush(drawn, "cat")], d=[brush(square(("dog",)) > 0, "dog")])))
    said = capsys.readouterr().out
    assert "1 masks replace pseudo labels, 0 photographs have other labels, 1 are as they were" in said
    assert (
        "made again: pseudo_labels, segmentation, masks" in said and "reused: index, oc, priors, cams" in said
    )
    child = load_run("mine-corrected")
    section = child.config.segmentation.pseudo
    assert section.corrections is not None and section.corrections.parts[:2] == ("corrections", "mine")
    np.testing.assert_array_equal(read_mask(section.corrections / "f_a.png") == 1, drawn)
    assert child.config.dataset == run.config.dataset


def test_a_corrected_label_map_is_the_pseudo_label(run: Run) -> None:
    index = Index.read(run.output("index", "train"))
    only = Index(index.records[:1], index.classes, "train", "")
    write_png("fixed/f_a.png", square(("x",), 2), voc_palette())
    settings = PseudoLabelsConfig(corrections=Path("fixed"))
    ((name, labels),) = pseudo_labels({}, only, settings)
    assert name == "f_a" and np.array_equal(labels, square(("x",), 2))
    with pytest.raises(UserError, match=r"segmentation.pseudo.corrections: gone: no such directory"):
        list(pseudo_labels({}, only, PseudoLabelsConfig(corrections=Path("gone"))))


def test_labels_are_a_table_and_train_everything_again(run: Run, capsys: pytest.CaptureFixture) -> None:
    imported(str(tasks(f_a=[choice("dog")], c=[choice("dog")])))
    assert "0 masks replace pseudo labels, 2 photographs have other labels" in capsys.readouterr().out
    child = load_run("mine-corrected")
    assert child.owner("index") is child and child.config.dataset.image_column is None  # type: ignore[union-attr]
    for split in ("train", "val"):
        old = {record.id: record for record in Index.read(run.output("index", split))}
        new = index_of(child.config.dataset, split)
        assert {record.id for record in new} == old.keys(), "nothing moves to another split"
        for record in new:
            corrected = record.id in ("f_a", "c")
            assert record.labels == (("dog",) if corrected else old[record.id].labels)


def test_a_mask_of_a_further_class_is_a_label_too(run: Run) -> None:
    imported(str(tasks(d=[brush(square(("cat",)) > 0, "cat")])))
    (path,) = Path("corrections/mine").glob("labels-*.csv")
    with open(path, encoding="utf-8", newline="") as file:
        rows = {row["id"]: json.loads(row["labels"]) for row in csv.DictReader(file)}
    assert rows["d"] == ["cat", "dog"] and rows["f_b"] == ["cat", "dog"] and rows["c"] == []


def test_imports_add_up(run: Run) -> None:
    drawn = np.ones(SIZE, bool)
    imported(str(tasks(f_a=[brush(drawn, "cat")])))
    imported(str(tasks(d=[brush(drawn, "dog")], c=[choice("cat")])))
    first = load_run("mine-corrected").config
    imported(str(tasks(f_b=[brush(drawn, "dog")])))
    child = load_run("mine-corrected").config
    maps, before = child.segmentation.pseudo.corrections, first.segmentation.pseudo.corrections
    assert (
        maps and before and {path.stem for path in maps.iterdir()} == {"f_a", "d", "f_b"} and maps != before
    )
    assert child.dataset == first.dataset, "labels of the import before stay"


def test_a_review_rejects_and_relabels(run: Run) -> None:
    decided = {
        "f_a": {"decision": "reject"},
        "d": {"decision": "accept"},
        "f_b": {"decision": "accept", "labels": ["dog"]},
    }
    write_json("r.json", {"format": "wsss review 1", "classes": ["cat", "dog"], "images": decided})
    imported("r.json", "--name", "second")
    child = load_run("second").config
    assert child.segmentation.pseudo.corrections is not None
    (path,) = child.segmentation.pseudo.corrections.iterdir()
    assert path.name == "f_a.png" and (np.asarray(Image.open(path)) == 255).all()


def test_the_report_has_before_and_after(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert corrections_of(run) is None
    imported(str(tasks(f_a=[brush(np.ones(SIZE), "cat")], c=[choice("cat")])))
    child = load_run("mine-corrected")
    found = corrections_of(child)
    assert found is not None and (found.before, found.masks, found.labels) == ("mine", ("f_a",), True)
    assert found.lines == (), "neither run has scores"
    scores = [Number(40.0, "mine/a.json#/miou", 2), Number(42.5, "mine-corrected/a.json#/miou", 2)]
    shown = replace(found, lines=(("masks", Line("masks", "mIoU", scores)),))
    monkeypatch.setattr("wsss.report.page.corrections_of", lambda _: shown)
    page = report_page(Toy(tmp_path)).read_text(encoding="utf-8")
    section = page.partition('id="corrections"')[2].partition("</section>")[0]
    assert "<code>f_a</code>" in section and "labels of photographs were corrected" in section
    assert all(text in section for text in (">40.00<", ">42.50<", ">+2.50<"))


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ({"f_a": [brush(np.ones(SIZE), "cow")]}, "classes cow are none of run mine, which has cat, dog"),
        ({"z": [brush(np.ones(SIZE), "cat")]}, "which is not among the photographs"),
        ({"d": [brush(square(("dog",)), "dog")]}, "all 1 photographs are as they were"),
    ],
)
def test_what_does_not_fit_is_told(run: Run, capsys: Any, results: dict[str, Any], said: str) -> None:
    imported(str(tasks(**results)), status=1)
    assert said in capsys.readouterr().err and not Path("corrections").exists()
    write_text("config/mine-corrected.yaml", "extends: mine\n")
    imported(str(tasks(d=[brush(np.ones(SIZE), "dog")])), status=1)
    assert "is a run of yours; give the corrected run another name" in capsys.readouterr().err
