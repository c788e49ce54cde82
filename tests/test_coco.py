"""COCO: labels in the order of its classes, masks as pycocotools sees them, layouts, labels of one's own."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from support.coco import CLASSES, HEIGHT, WIDTH, box, make_coco

from wsss.data.coco import coco_index
from wsss.data.coco_annotations import read_annotations
from wsss.data.coco_masks import paint, painted
from wsss.data.palette import read_mask
from wsss.errors import UserError
from wsss.store.files import write_png
from wsss.store.label_maps import write_label_shard

IDS = [f"COCO_train2014_{number:012d}" for number in (9, 25, 30, 34)]
LABELS = [("person", "train", "stop sign"), ("person", "train"), CLASSES, ()]


def change(path: Path, **fields: Any) -> None:
    """Give the first annotation other fields."""
    found = json.loads(path.read_text())
    found["annotations"][0] |= fields
    path.write_text(json.dumps(found))


def vectors(numbers: tuple[int, ...] = (9, 25, 30, 34), classes: int = 4) -> dict[int, np.ndarray]:
    """Labels as they are spread: what is annotated, and nothing beyond the first classes."""
    known = dict(zip((9, 25, 30, 34), LABELS, strict=True))
    found = {number: np.zeros(classes, np.float32) for number in numbers}
    for number in numbers:
        for name in known[number]:
            found[number][CLASSES.index(name) % classes] = 1
    return found


def save(path: Path, found: dict[int, np.ndarray]) -> Path:
    np.save(path, np.array(found, dtype=object), allow_pickle=True)
    return path


def masks_of(root: Path) -> Path:
    """The painted masks of the data set."""
    annotations = read_annotations(root / "annotations" / "instances_train2014.json")
    write_label_shard(root / "painted", painted(annotations), digest="d")
    return root / "painted"


# --- annotations ---


def test_classes_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    found = read_annotations(make_coco(tmp_path))
    assert found.classes == CLASSES
    assert [picture.id for picture in found.pictures] == IDS
    assert [tuple(CLASSES[c] for c in picture.channels) for picture in found.pictures] == LABELS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a JSON file"),
        ("[]", "not a file of COCO's instances"),
        ('{"images": []}', "'categories' is missing"),
    ],
)
def test_another_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=f"a.json: .*{said}"):
        read_annotations(tmp_path / "a.json")


@pytest.mark.parametrize("fields", [{"category_id": 12}, {"image_id": 10}])
def test_an_annotation_of_nothing_that_is_listed(tmp_path: Path, fields: dict[str, int]) -> None:
    path = make_coco(tmp_path)
    change(path, **fields)
    with pytest.raises(UserError, match=r"annotation 1 is of image .* which the file does not list"):
        read_annotations(path)


# --- masks ---


def by_pycocotools(path: Path, number: int) -> np.ndarray:
    """The mask by the stated rule: crowds, then objects, the largest first; decoded by pycocotools' class."""
    coco = COCO(str(path))
    value = {category: i + 1 for i, category in enumerate(sorted(coco.cats))}
    found = [(item, coco.annToMask(item).astype(bool)) for item in coco.loadAnns(coco.getAnnIds(number))]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for crowd in (1, 0):
        several = [pair for pair in found if pair[0]["iscrowd"] == crowd]
        for item, pixels in sorted(several, key=lambda pair: (-int(pair[1].sum()), pair[0]["id"])):
            mask[pixels] = value[item["category_id"]]
    return mask


def test_masks_equal_pycocotools_pixel_by_pixel(tmp_path: Path) -> None:
    path = make_coco(tmp_path)
    masks = dict(painted(read_annotations(path)))
    assert list(masks) == IDS
    for number, name in zip((9, 25, 30, 34), IDS, strict=True):
        expected = by_pycocotools(path, number)
        assert masks[name].dtype == np.uint8 and np.array_equal(masks[name], expected), name
    assert [set(np.unique(masks[name]).tolist()) for name in IDS] == [
        {0, 1, 2, 3},
        {0, 1, 2},
        {0, 1, 2, 3, 4},
        {0},
    ]


def test_what_is_on_top(tmp_path: Path) -> None:
    masks = dict(painted(read_annotations(make_coco(tmp_path))))
    first, second, third, _ = (masks[name] for name in IDS)
    assert first[10, 10] == 1, "a person before a train, though given after it"
    assert second[20, 15] == 1 and second[10, 24] == 2, "a train is seen before the crowd around it"
    assert third[12, 37] == 3, "of two of one size the one of the greater number"
    assert third[20, 25] == 1, "of two crowds the smaller one"


@pytest.mark.parametrize(
    "segmentation",
    [
        [box(0, 0, 3, 3), [1.0, 2.0, 3.0]],
        {"size": [WIDTH, HEIGHT], "counts": [WIDTH * HEIGHT]},
        {"size": [HEIGHT, WIDTH]},
        "polygon",
    ],
)
def test_an_outline_that_is_none_is_named(tmp_path: Path, segmentation: Any) -> None:
    path = make_coco(tmp_path)
    change(path, segmentation=segmentation)
    picture = read_annotations(path).pictures[0]
    with pytest.raises(UserError, match=r"COCO_train2014_000000000009.png: annotation 1 is outlined neither"):
        paint(picture)


# --- the index ---


@pytest.mark.parametrize("layout", ["train2014", "JPEGImages"])
def test_both_layouts(tmp_path: Path, layout: str) -> None:
    annotations = read_annotations(make_coco(tmp_path, layout=layout))
    masks = masks_of(tmp_path)
    index = coco_index(tmp_path, "train2014", annotations, masks, digest="d")
    assert [record.id for record in index] == IDS
    assert [record.labels for record in index] == LABELS
    assert index.classes == CLASSES and index.digest == "d" and index.split == "train2014"
    assert {record.image.parent.name for record in index} == {layout}
    first = index.records[0]
    assert first.mask == masks / f"{IDS[0]}.png"
    assert np.array_equal(read_mask(first.mask), paint(annotations.pictures[0]))


def test_masks_as_they_are_spread(tmp_path: Path) -> None:
    """Called by the number alone, and of images without labels none."""
    annotations = read_annotations(make_coco(tmp_path))
    for number in (9, 25, 30):
        mask = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH) % 5
        write_png(tmp_path / "seg" / f"{number:012d}.png", mask)
    index = coco_index(tmp_path, "train2014", annotations, tmp_path / "seg")
    assert [record.mask is not None for record in index] == [True, True, True, False]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    annotations = read_annotations(make_coco(tmp_path))
    (tmp_path / "train2014" / f"{IDS[1]}.png").unlink()
    with pytest.raises(UserError) as caught:
        coco_index(tmp_path, "train2014", annotations, tmp_path / "seg")
    assert f"{IDS[1]}.png: no such image" in str(caught.value)
    assert "no mask of any of the 4 images" in str(caught.value)
    with pytest.raises(UserError, match="has neither val2014/ nor JPEGImages/"):
        coco_index(tmp_path, "val2014", annotations, tmp_path / "seg")


# --- labels of one's own ---


def test_labels_of_ones_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    annotations = read_annotations(make_coco(tmp_path))
    labels = save(tmp_path / "cls_labels_coco.npy", vectors() | {99: np.ones(4, np.float32)})
    caplog.set_level(logging.INFO, "wsss")
    logging.getLogger("wsss").propagate = True
    index = coco_index(tmp_path, "train2014", annotations, masks_of(tmp_path), labels=labels)
    assert [record.labels for record in index] == LABELS and "other labels" not in caplog.text
    other = vectors()
    other[34][1] = 1
    index = coco_index(
        tmp_path, "train2014", annotations, tmp_path / "painted", labels=save(tmp_path / "o.npy", other)
    )
    assert index.records[3].labels == ("train",)
    assert "o.npy: of 4 images, 1 have other labels than annotated" in caplog.text


def test_vocs_labels_under_cocos_name_are_refused(tmp_path: Path) -> None:
    annotations = read_annotations(make_coco(tmp_path))
    labels = save(tmp_path / "cls_labels.npy", {2007000032: np.eye(20, dtype=np.float32)[0]})
    with pytest.raises(UserError, match=r"cls_labels.npy: vectors of \(20,\), must be \(4,\).*VOC's labels"):
        coco_index(tmp_path, "train2014", annotations, masks_of(tmp_path), labels=labels)


def test_labels_of_too_few_images_are_refused(tmp_path: Path) -> None:
    annotations = read_annotations(make_coco(tmp_path))
    labels = save(tmp_path / "l.npy", vectors((9, 30)))
    with pytest.raises(UserError, match=r"l.npy: has no labels of 2 images of the split \(25, 34"):
        coco_index(tmp_path, "train2014", annotations, masks_of(tmp_path), labels=labels)
