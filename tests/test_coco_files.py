"""COCO files as tools write them: what is taken, and what is named with file, number, value and remedy."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_rle

from wsss.config import CocoDataset
from wsss.data.coco_annotations import read_annotations
from wsss.data.coco_masks import paint, painted, unpacked
from wsss.data.datasets import index_of
from wsss.data.index import Index
from wsss.errors import UserError
from wsss.store.files import write_png, write_text
from wsss.store.label_maps import write_label_shard

HEIGHT, WIDTH = 20, 30
SQUARE = [2, 3, 12, 3, 12, 13, 2, 13]
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    logging.getLogger("wsss").propagate = True


def coco(edit: Edit = lambda found: None, names: tuple[str, ...] = ("a.png", "b.png")) -> Path:
    """Two images, a cat in the first and a dog in the second; `edit` changes what the file holds."""
    for seed, name in enumerate(names):
        pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        write_png(Path("coco/train", name), pixels)
    found: dict[str, Any] = {
        "images": [
            {"id": i + 1, "file_name": name, "height": HEIGHT, "width": WIDTH} for i, name in enumerate(names)
        ],
        "annotations": [
            {
                "id": i + 11,
                "image_id": i + 1,
                "category_id": i + 1,
                "bbox": [2, 3, 10, 10],
                "segmentation": [SQUARE],
            }
            for i in range(len(names))
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    edit(found)
    path = Path("coco/annotations/instances_train.json")
    write_text(path, json.dumps(found))
    return path


def indexed(path: Path) -> Index:
    """What the rules make of the file: painted masks, and an index."""
    annotations = read_annotations(path)
    write_label_shard("painted", painted(annotations), digest="d")
    data = CocoDataset(kind="coco", root=Path("coco"), train="train")
    return index_of(data, "train", painted=Path("painted"), masks_to=Path("out.masks"))


def of_images(**keys: Any) -> Edit:
    return lambda found: [image.update(keys) for image in found["images"]]


def outline(segmentation: Any, **keys: Any) -> Edit:
    return lambda found: found["annotations"][0].update(segmentation=segmentation, **keys)


def first(kind: str, **keys: Any) -> Edit:
    return lambda found: found[kind][0].update(keys)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (of_images(height=0), r"image 1 \(a.png\): width 30, height 0; each must be a whole number"),
        (of_images(width=30.0), r"image 1 \(a.png\): width 30.0, height 20; each must be"),
        (of_images(width="30"), r"image 2 \(b.png\): width '30', height 20; each must be"),
        (of_images(width=None, height=None), r"image 1 \(a.png\): width None, height None; each must be"),
        (first("images", id=None), "image 1: id None; must be a number or a text"),
        (first("images", file_name=7), "image 1: file_name 7; must be the path of a file"),
        (first("images", file_name="a\0b.png"), r"image 1: file_name 'a\\x00b.png'; must be the path"),
        (first("images", file_name="\ud83d.png"), r"image 1: file_name '\\ud83d.png'; must be the path"),
        (first("categories", name=None), "category 1: name None; must be a text"),
        (first("categories", id=2), "category 2: is listed twice"),
        (first("categories", name="dog"), "categories 1 and 2: both are named 'dog'; names must differ"),
        (lambda found: found["images"].append(found["images"][0]), "image 1: is listed twice"),
        (
            lambda found: found["images"].append({**found["images"][0], "id": 9}),
            "images 1 and 9: both are a.png",
        ),
        (
            first("annotations", image_id=5),
            "annotation 11 is of image 5, category 1, which the file does not list",
        ),
        (lambda found: found.update(images={}), "images is no list of entries"),
        (first("images", id=True), "image 1: id True; must be a number or a text"),
    ],
)
def test_an_entry_that_does_not_fit_is_named(edit: Edit, said: str) -> None:
    with pytest.raises(UserError, match=rf"(?s)coco/annotations/instances_train.json: .*{said}"):
        read_annotations(coco(edit))


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        ({"size": [HEIGHT, WIDTH], "counts": "hello world"}, "has the run lengths 'hello world'.*sum is 600"),
        ({"size": [HEIGHT, WIDTH], "counts": [700, -100]}, r"has the run lengths \[700, -100\].*sum is 600"),
        ({"size": [HEIGHT, WIDTH], "counts": [1, 2]}, r"run lengths \[1, 2\], together 3; .*sum is 600"),
        ({"size": [WIDTH, HEIGHT], "counts": [600]}, "neither by polygons .* nor by run lengths of 30 x 20"),
        (
            [[float("nan")] * 8],
            r"has the x coordinate nan; allowed: numbers from -30 to 60 \(the image has 30 x",
        ),
        ([[1, 2, 3, -1e9, 5, 6]], "has the y coordinate -1000000000.0; allowed: numbers from -20 to 40"),
        ([[1, 2, 3, "4", 5, 6]], "has the y coordinate '4'"),
        ([[1, 2, 3, 10**400, 5, 6]], "has the y coordinate 10000000"),
        ([[1, 2, 3, 4, 5, 6, 7]], "is outlined neither by polygons"),
        ([1, 2, 3, 4, 5, 6], "is outlined neither by polygons"),
    ],
)
def test_a_wrong_outline_is_named(segmentation: Any, said: str) -> None:
    annotations = read_annotations(coco(outline(segmentation)))
    with pytest.raises(
        UserError, match=rf"(?s)instances_train.json: 1 fault\n  a.png: annotation 11 .*{said}"
    ):
        list(painted(annotations))


@pytest.mark.parametrize("segmentation", [[], [[]], [[1, 2, 3, 4]], None])
def test_an_object_without_an_outline_counts_as_a_label(
    segmentation: Any, caplog: pytest.LogCaptureFixture
) -> None:
    index = indexed(coco(outline(segmentation)))
    assert [record.labels for record in index] == [("cat",), ("dog",)]
    assert [record.mask is not None for record in index] == [False, True], (
        "nothing of the first can be painted"
    )
    assert (
        "1 of 2 annotations have no outline" in caplog.text
        and "1 images that show nothing else" in caplog.text
    )


def test_boxes_only(caplog: pytest.LogCaptureFixture) -> None:
    index = indexed(coco(lambda found: [item.pop("segmentation") for item in found["annotations"]]))
    assert [record.labels for record in index] == [("cat",), ("dog",)] and not any(r.mask for r in index)
    assert "set dataset.with_masks: false" in caplog.text


def test_a_box_beside_an_outline_is_ignored_in_the_mask() -> None:
    def edit(found: dict[str, Any]) -> None:
        boxed = {"id": 9, "image_id": 1, "category_id": 2, "bbox": [8.5, 10, 100, 5], "segmentation": []}
        found["annotations"].append(boxed)

    mask = paint(read_annotations(coco(edit)).pictures[0])
    assert (mask[3:13, 2:12] == 1).all() and (mask[13:15, 8:] == 255).all()
    assert (mask == 255).sum() == 5 * 22 - 3 * 4


def test_numbers_may_be_text() -> None:
    def edit(found: dict[str, Any]) -> None:
        for image, item in zip(found["images"], found["annotations"], strict=True):
            image["id"], item["image_id"] = str(image["id"]), str(item["image_id"])
        found["categories"][0]["id"] = "1"

    assert [record.labels for record in indexed(coco(edit))] == [("cat",), ("dog",)]
    assert [record.labels for record in indexed(coco(of_names(found="x")))] == [("cat",), ("dog",)]


def of_names(found: str) -> Edit:
    """Ids that are no numbers."""

    def edit(entries: dict[str, Any]) -> None:
        for image, item in zip(entries["images"], entries["annotations"], strict=True):
            image["id"] = item["image_id"] = f"{found}{image['id']}"
            del item["id"]

    return edit


def test_numbers_of_any_size() -> None:
    def edit(found: dict[str, Any]) -> None:
        for image, item in zip(found["images"], found["annotations"], strict=True):
            image["id"] = item["image_id"] = 10**30 + image["id"]

    assert [record.labels for record in indexed(coco(edit))] == [("cat",), ("dog",)]


def test_paths_from_the_root_on() -> None:
    """As some tools write them: the split is part of the name."""

    def edit(found: dict[str, Any]) -> None:
        for image in found["images"]:
            image["file_name"] = f"train/{image['file_name']}"

    records = indexed(coco(edit)).records
    assert (records[0].id, str(records[0].image)) == ("a", "coco/train/a.png")


def test_files_of_one_name_in_subfolders() -> None:
    index = indexed(coco(names=("video0/frame.png", "video1/frame.png")))
    assert [record.id for record in index] == ["video0_frame", "video1_frame"]
    assert [record.image for record in index] == [
        Path("coco/train/video0/frame.png"),
        Path("coco/train/video1/frame.png"),
    ]
    assert [record.id for record in indexed(coco(names=("x/a.png", "y/b.png")))] == ["a", "b"], "as published"
    with pytest.raises(UserError, match=r"x/a.png and x_a.png: would both be called x_a; rename one"):
        read_annotations(coco(names=("x/a.png", "x_a.png", "y/a.png")))


def test_a_suffix_of_another_case_or_format() -> None:
    path = coco()
    Path("coco/train/a.png").rename("coco/train/a.PNG")
    assert indexed(path).records[0].image.name == "a.PNG"


def test_roboflows_group_is_no_class(caplog: pytest.LogCaptureFixture) -> None:
    group = {"id": 0, "name": "animals", "supercategory": "none"}
    index = indexed(coco(lambda found: found["categories"].insert(0, group)))
    assert index.classes == ("cat", "dog") and "category 0, 'animals', is a group" in caplog.text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_read_over(encoding: str) -> None:
    path = coco()
    path.write_bytes(path.read_text().encode(encoding))
    assert len(indexed(path)) == 2


def test_a_size_that_is_not_the_files_is_named() -> None:
    said = r"instances_train.json: image 1 \(a.png\): width x height 31 x 20; must be the file's, 30 x 20"
    with pytest.raises(UserError, match=said):
        indexed(coco(of_images(width=31)))


def test_run_lengths_are_unpacked_as_pycocotools_does() -> None:
    for seed in range(20):
        mask = np.random.default_rng(seed).random((40, 50)) < 0.02 * (seed + 1)
        packed = coco_rle.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        counts = unpacked(packed)
        assert counts is not None and sum(counts) == mask.size
        values = np.repeat(np.arange(len(counts)) % 2, counts).reshape(mask.shape, order="F")
        assert np.array_equal(values.astype(bool), mask)
    assert unpacked("~~~") is None and unpacked("P") is None
