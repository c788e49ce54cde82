"""`wsss.Predictor`: a run, its directory or a file of a network takes photographs of every kind."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO
from support.chain import BACKBONE, CLASSES, Toy

import wsss
from wsss.cli import main
from wsss.data.palette import read_mask
from wsss.errors import UserError
from wsss.models import DeepLabV3Plus
from wsss.store.files import write_json, write_png
from wsss.store.networks import Header, save_model

NAMES = ("background", *CLASSES)


@pytest.fixture
def trained(toy: Toy) -> Toy:
    torch.manual_seed(0)
    header = Header("DeepLabV3Plus", BACKBONE, 16, CLASSES, toy.run.digest("segmentation"))
    save_model(toy.run.output("segmentation"), DeepLabV3Plus(BACKBONE, len(CLASSES) + 1), header)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    write_png("a.png", pixels)
    return toy


def test_a_prediction_is_that_of_the_command(trained: Toy) -> None:
    assert main(["predict", "a.png", "--run", "toy", "--out", "out"]) == 0
    expected = read_mask("out/masks/a.png")
    for source in ("toy", "results/toy", Path("results/toy")):
        found = wsss.Predictor(source)("a.png")
        np.testing.assert_array_equal(found.mask, expected)
        assert found.classes == NAMES and found.scores.shape == (len(NAMES), 40, 50)
        np.testing.assert_allclose(found.scores.sum(axis=0), 1, atol=1e-5)
    overlay = np.asarray(Image.open("out/overlays/a.jpg"), np.int64)
    assert abs(found.overlay() - overlay).mean() < 12, "the same but for the JPEG"


def test_photographs_of_every_kind(trained: Toy) -> None:
    predictor = wsss.Predictor(trained.run.output("segmentation"), "cpu")
    pixels = np.asarray(Image.open("a.png"))
    first, *others = predictor(["a.png", Path("a.png"), pixels, Image.fromarray(pixels)])
    assert all(np.array_equal(first.mask, other.mask) for other in others)
    gray = predictor(pixels[..., 0])
    assert gray.mask.shape == (40, 50) and gray.mask.dtype == np.uint8 and gray.palette.shape == (256, 3)
    small = wsss.Predictor("toy", side=33)(pixels)
    assert small.mask.shape == (40, 50) and small.scores.shape[1:] == (26, 33)
    with pytest.raises(UserError, match=r"an array of float64 \(40, 50, 3\): must be uint8"):
        predictor(pixels / 255)
    with pytest.raises(UserError, match=r"b\.png: no such image"):
        predictor("b.png")


def test_areas_and_coco(trained: Toy) -> None:
    found = wsss.Predictor("toy", crf=0)("a.png")
    areas = found.areas(pixels_per_cm=10)
    assert sum(area["pixels"] for area in areas.values()) == 40 * 50
    for name, area in areas.items():
        value = NAMES.index(name)
        here = found.mask == value
        assert area["pixels"] == here.sum() and area["cm2"] == here.sum() / 100
        assert area["confidence"] == pytest.approx(found.scores[value][here].mean(), rel=1e-5)
    annotations = found.to_coco(7, first=3)
    assert [each["id"] for each in annotations] == list(range(3, 3 + len(annotations)))
    categories = [{"id": value, "name": name} for value, name in enumerate(NAMES) if value]
    images = [{"id": 7, "file_name": "a.png", "width": 50, "height": 40}]
    write_json("c.json", {"images": images, "categories": categories, "annotations": annotations})
    coco, painted = COCO("c.json"), np.zeros((40, 50), bool)
    for each in coco.loadAnns(coco.getAnnIds(imgIds=7)):
        assert 0 < each["score"] <= 1
        painted |= coco.annToMask(each).astype(bool)
    assert abs(painted.sum() - (found.mask > 0).sum()) < 0.1 * found.mask.size


def test_a_source_without_a_network_says_what_to_do(trained: Toy) -> None:
    Path("empty/x").mkdir(parents=True)
    with pytest.raises(UserError, match=r"empty/x: has no network; empty/x/models/segmentation"):
        wsss.Predictor("empty/x")
    with pytest.raises(UserError, match="no such run"):
        wsss.Predictor("nothing")


def test_the_notebook_runs(trained: Toy, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells, one after the other, on the toy run; Jupyter itself is not needed."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    about = json.loads((repository / "docs/notebooks/predict.ipynb").read_text(encoding="utf-8"))
    assert about["nbformat"] == 4 and not any(cell.get("outputs") for cell in about["cells"])
    names: dict[str, Any] = {}
    for number, cell in enumerate(cell for cell in about["cells"] if cell["cell_type"] == "code"):
        exec("".join(cell["source"]), names)
        if not number:
            assert names["SOURCE"] == "results/shapes"
            names |= {"SOURCE": "toy", "PHOTOGRAPHS": [Path("a.png")]}
    assert len(names["predictions"]) == 1 and names["areas"]["pixels"].sum() == 40 * 50
    assert all(annotation["area"] >= 20 for annotation in names["annotations"])


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, wsss; sys.exit('torch' in sys.modules or not callable(wsss.__getattr__))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = wsss.Nothing
