"""Label maps in the forms of other tools: each is opened, by its own library where that is installed."""

import csv
import json
import os
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image
from pycocotools import mask as coco_rle
from pycocotools.coco import COCO
from support.chain import Toy
from support.label_maps import CLASSES, label_maps, source_under

from wsss import cli
from wsss.data.outlines import regions_of
from wsss.data.palette import read_mask
from wsss.data.voc import voc_index
from wsss.errors import UserError
from wsss.exports.formats import FORMATS
from wsss.exports.label_maps import export_label_maps
from wsss.exports.sources import of_predictions, of_run
from wsss.store.files import write_json, write_png

#: a Python with datumaro, label-studio-sdk and supervision, whose requirements are not those of this package
FOREIGN = os.environ.get("WSSS_FORMATS_PYTHON")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same photographs in every form."""
    root = tmp_path_factory.mktemp("exported")
    source = source_under(root / "photos")
    for form in FORMATS:
        keys: dict[str, Any] = {"overlays": form == "voc", "pixels_per_cm": 2.0 if form == "voc" else None}
        assert export_label_maps(source, form, root / form, images="copy", progress=False, **keys) == 7
    return root


def areas() -> dict[str, Counter]:
    """By photograph, the pixels of each class."""
    return {
        name: Counter(
            {CLASSES[value - 1]: int((mask == value).sum()) for value in (1, 2) if (mask == value).any()}
        )
        for name, mask in label_maps().items()
    }


def close(found: dict[str, Any], *, exact: bool) -> None:
    """The areas are those of the label maps: exactly or, of polygons, but for their borders."""
    assert found.keys() == areas().keys()
    for name, wanted in areas().items():
        assert found[name].keys() == wanted.keys(), name
        for label, pixels in wanted.items():
            assert abs(found[name][label] - pixels) <= (0 if exact else max(70, 0.09 * pixels)), (name, label)


def test_regions_have_outlines_with_holes() -> None:
    maps = label_maps()
    ring, inside = regions_of(maps["ring"], np.full(maps["ring"].shape, 0.25))
    assert (ring.value, inside.value, ring.confidence) == (1, 2, 0.25)
    assert [len(region.outlines) for region in (ring, inside)] == [2, 1]
    np.testing.assert_array_equal(ring.whole, maps["ring"] == 1)
    corner, _ = regions_of(maps["touching"])
    assert corner.area == 200 and len(corner.outlines) == 1, "pixels that touch at a corner are one region"
    assert len(list(regions_of(maps["line"]))) == 2 and len(list(regions_of(maps["line"], least=2))) == 1
    assert list(regions_of(maps["empty"])) == []


@pytest.mark.parametrize("name", ["ring", "touching", "whole", "line"])
def test_outlines_enclose_the_centers_of_their_pixels(name: str) -> None:
    """Drawn at eight times the size, an outline covers the region but for half a pixel at its border."""
    mask = label_maps()[name]
    for region in regions_of(mask):
        for points in ([region.joined], region.outlines):
            drawn = np.zeros([8 * side for side in mask.shape], np.uint8)
            cv2.fillPoly(drawn, [np.round(8 * each - 0.5).astype(np.int32) for each in points], 1)
            centers = drawn[4::8, 4::8]
            wrong = centers != region.whole
            border = cv2.morphologyEx(region.whole, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
            assert not (wrong & (border == 0)).any() and wrong.sum() <= 0.05 * region.area + 2


def test_coco_is_read_by_pycocotools(exported: Path) -> None:
    found: dict[str, Counter] = {}
    for split in ("train", "val"):
        coco = COCO(str(exported / f"coco/annotations/instances_{split}.json"))
        names = {each["id"]: each["name"] for each in coco.loadCats(coco.getCatIds())}
        for image in coco.loadImgs(coco.getImgIds()):
            assert (exported / "coco/images" / image["file_name"]).is_file()
            counts = found.setdefault(Path(image["file_name"]).stem, Counter())
            for each in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
                counts[names[each["category_id"]]] += int(coco.annToMask(each).sum())
                assert each["score"] in (0.75, 0.5) and each["area"] >= 1
                if isinstance(each["segmentation"], dict):
                    np.testing.assert_array_equal(coco.annToMask(each), label_maps()["ring"] == 1)
    close(found, exact=False)


def test_yolo_follows_the_rules_of_its_loader(exported: Path) -> None:
    """Ultralytics: labels/ for images/, a class and at least three points in 0..1 a line."""
    about = yaml.safe_load((exported / "yolo-seg/data.yaml").read_text(encoding="utf-8"))
    assert list(about["names"].items()) == list(enumerate(CLASSES))
    found = {}
    for image in (exported / "yolo-seg/images").rglob("*.png"):
        path = Path(str(image).replace("/images/", "/labels/")).with_suffix(".txt")
        counts = found.setdefault(image.stem, Counter())
        for line in path.read_text(encoding="utf-8").splitlines():
            number, *rest = line.split()
            points = np.array(rest, float).reshape(-1, 2)
            assert len(points) >= 3 and points.min() >= 0 and points.max() <= 1
            packed = coco_rle.merge(coco_rle.frPyObjects([(points * (80, 60)).ravel().tolist()], 60, 80))
            counts[CLASSES[int(number)]] += int(coco_rle.area(packed))
    close(found, exact=False)


def test_cvat_has_run_lengths_of_holes(exported: Path) -> None:
    root = ET.parse(exported / "cvat/annotations.xml").getroot()
    assert [name.text for name in root.iterfind("meta/task/labels/label/name")] == list(CLASSES)
    (mask,) = root.iterfind("image/mask")
    left, top, width, height = (int(mask.attrib[key]) for key in ("left", "top", "width", "height"))
    runs = [int(length) for length in mask.attrib["rle"].split(",")]
    flat = np.repeat(np.arange(len(runs)) % 2, runs).reshape(height, width)
    expected = label_maps()["ring"][top : top + height, left : left + width] == 1
    np.testing.assert_array_equal(flat, expected)
    assert len(root.findall("image")) == 5 and len(root.findall("image/polygon")) == 6


def test_masks_are_the_label_maps(exported: Path) -> None:
    for name, mask in label_maps().items():
        for place in ("images+masks/masks", "voc/SegmentationClass"):
            np.testing.assert_array_equal(read_mask(exported / place / f"{name}.png"), mask)
    index = voc_index(exported / "voc", "train")
    labels = {record.id: set(record.labels) for record in index}
    assert labels == {name: set(areas()[name]) for name in ("ring", "line", "empty")}


def test_areas_and_overlays(exported: Path) -> None:
    rows = list(csv.DictReader((exported / "voc/areas.csv").open(encoding="utf-8")))
    assert len(rows) == 5 * 2
    first = rows[0]
    assert (first["photograph"], first["class"], first["pixels"]) == ("ring", CLASSES[0], "1520")
    assert (first["cm2"], first["confidence"], first["percent"]) == ("380.0000", "0.750", "31.667")
    assert rows[-1] == {**rows[-1], "pixels": "0", "regions": "0", "confidence": ""}
    with Image.open(exported / "voc/overlays/ring.jpg") as image:
        assert image.size == (80, 60 + 3 * 20), "a line for either class and for ignored pixels"


@pytest.mark.slow
@pytest.mark.skipif(not FOREIGN, reason="WSSS_FORMATS_PYTHON names no Python with the libraries of the forms")
@pytest.mark.parametrize(
    ("form", "reader", "exact"),
    [
        ("coco", "coco_instances", False),
        ("cvat", "cvat", False),
        ("voc", "voc_segmentation", True),
        ("label-studio", "label-studio", True),
        ("yolo-seg", "yolo-seg", False),
    ],
)
def test_other_libraries_read_them(
    exported: Path, form: str, reader: str, exact: bool, repository: Path
) -> None:
    script = repository / "tests" / "support" / "foreign_formats.py"
    command = [str(FOREIGN), str(script), reader, str(exported / form)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    close(
        {name: {k: v for k, v in each.items() if k in CLASSES} for name, each in found.items()}, exact=exact
    )


def test_a_run_and_predictions_leave(toy: Toy, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(UserError, match=r"run toy has no pseudo_labels yet; make them: snakemake"):
        of_run(toy.run, "pseudo_labels", [])
    path = toy.run.output("pseudo_labels", "train", "000")
    path.parent.mkdir(parents=True)
    toy.truth("pseudo_labels").rename(path)
    index = toy.run.output("index", "train")
    index.parent.mkdir(parents=True)
    toy.index.write(index)
    assert cli.main(["export-masks", "toy", "--format", "images+masks", "--images", "none"]) == 0
    assert "pseudo labels of run toy" in capsys.readouterr().out
    record = toy.index.masked[0]
    masks = tmp_path / "results/toy/export/images+masks/masks"
    np.testing.assert_array_equal(read_mask(masks / f"{record.id}.png"), read_mask(record.mask or ""))
    assert cli.main(["export-masks", "toy", "--format", "images+masks"]) == 1
    assert "is there already; remove it, or choose another --out" in capsys.readouterr().err

    photo = tmp_path / "a.png"
    write_png(photo, np.zeros((4, 6, 3), np.uint8))
    write_png(tmp_path / "made/masks/sub/a.png", np.ones((4, 6), np.uint8))
    about = {"photograph": str(photo), "mask": "masks/sub/a.png"}
    write_json(tmp_path / "made/predictions.json", {"classes": ["x"], "photographs": [about]})
    (image,) = of_predictions(tmp_path / "made")
    assert (image.name, image.mask.all(), image.scores) == ("sub/a", True, None)
    assert cli.main(["export-masks", str(tmp_path / "made"), "--format", "coco"]) == 0
    assert (tmp_path / "made/export/coco/images/sub/a.png").is_symlink()
