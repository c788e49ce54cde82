"""VOC's layout: splits, labels from XML by the published rule, masks, images of both kinds."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from wsss.data.palette import read_mask, voc_palette
from wsss.data.voc import VOC_CLASSES, voc_classes, voc_ids, voc_index
from wsss.data.voc_xml import read_annotation
from wsss.errors import UserError
from wsss.store.files import write_png, write_text

BOX = (10, 10, 20, 20)


def annotate(path: Path, *objects: tuple[str, tuple[float, ...]], size: tuple[int, int] = (50, 40)) -> None:
    items = "".join(
        f"<object><name>{name}</name><difficult>1</difficult><bndbox>"
        + "".join(
            f"<{key}>{value}</{key}>"
            for key, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
        )
        + "</bndbox></object>"
        for name, box in objects
    )
    width, height = size
    write_text(
        path,
        f"<annotation><size><width>{width}</width><height>{height}</height></size>{items}</annotation>",
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four images: 1 and 2 train, 3 val, 4 with a mask but in no list; 5 has neither mask nor annotation."""
    root = tmp_path / "VOC2012"
    for name, label in (("1", "cat"), ("2", "dog"), ("3", "cow"), ("4", "person"), ("5", None)):
        suffix = "jpg" if name in "12" else "png"
        write_png(root / "JPEGImages" / f"{name}.{suffix}", np.zeros((40, 50, 3), np.uint8))
        if label:
            mask = np.full((40, 50), VOC_CLASSES.index(label) + 1, np.uint8)
            write_png(root / "SegmentationClass" / f"{name}.png", mask, voc_palette())
            annotate(root / "Annotations" / f"{name}.xml", (label, BOX))
    write_text(root / "ImageSets/Segmentation/train.txt", "1\r\n\r\n2\r\n")
    write_text(root / "ImageSets/Segmentation/val.txt", "3\n")
    write_text(root / "ImageSets/Segmentation/test.txt", "5\n")
    return root


def test_the_classes_are_vocs_in_mask_order(root: Path) -> None:
    classes = voc_classes(root)
    assert len(classes) == 20
    assert (classes[0], classes[14], classes[19]) == ("aeroplane", "person", "tvmonitor")


def test_a_data_set_may_bring_its_own_classes(root: Path) -> None:
    write_text(root / "classes.txt", "fox\r\nbadger\n\n")
    assert voc_classes(root) == ("fox", "badger")


def test_lists_are_read_without_their_ends_of_line(root: Path) -> None:
    assert voc_ids(root, "train") == ["1", "2"]


def test_train_aug_is_every_mask_that_is_not_in_val(root: Path) -> None:
    assert voc_ids(root, "train_aug") == ["1", "2", "4"]
    write_png(root / "SegmentationClassAug" / "5.png", np.zeros((40, 50), np.uint8))
    write_png(root / "SegmentationClassAug" / "3.png", np.zeros((40, 50), np.uint8))
    assert voc_ids(root, "train_aug") == ["1", "2", "4", "5"]


def test_a_list_of_train_aug_is_taken_if_there_is_one(root: Path) -> None:
    write_text(root / "ImageSets/Segmentation/train_aug.txt", "4\r\n2\r\n")
    assert voc_ids(root, "train_aug") == ["4", "2"]


def test_an_unknown_split_is_told_the_known(root: Path) -> None:
    with pytest.raises(
        UserError, match=r"trian\.txt: no such list; splits .* are test, train, val, and train_aug"
    ):
        voc_ids(root, "trian")
    with pytest.raises(UserError, match="no such directory"):
        voc_ids(root / "nowhere", "train")


def test_an_index_names_files_and_labels(root: Path) -> None:
    index = voc_index(root, "train_aug", digest="d")
    assert [record.labels for record in index] == [("cat",), ("dog",), ("person",)]
    assert [record.image.name for record in index] == ["1.jpg", "2.jpg", "4.png"]
    assert index.records[2].mask == root / "SegmentationClass" / "4.png"
    assert (index.split, index.digest) == ("train_aug", "d")


def test_a_split_without_annotations_has_no_labels(root: Path) -> None:
    index = voc_index(root, "test")
    assert [(record.labels, record.mask) for record in index] == [((), None)]
    assert index.labels().tolist() == [[0] * 20]


def test_vocs_test_has_no_labels_though_some_files_are_there(root: Path) -> None:
    """Its archive has annotations of another task for some images; they do not say all that is to be seen."""
    write_text(root / "ImageSets/Segmentation/test.txt", "4\n5\n")
    assert [record.labels for record in voc_index(root, "test")] == [(), ()]
    write_text(root / "classes.txt", "person\n")
    with pytest.raises(UserError, match=r"5: no .*, while others have one"):
        voc_index(root, "test")


# --- SBD ---


def sbd(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    content = {"Boundaries": np.zeros((2, 1)), "Segmentation": mask, "CategoriesPresent": np.unique(mask)}
    savemat(path, {"GTcls": content, "other": 1}, do_compression=True)


@pytest.mark.parametrize("form", ["palette", "mat", "colors"])
def test_masks_of_sbd_in_every_form_they_are_spread_in(root: Path, form: str) -> None:
    mask = np.zeros((40, 50), np.uint8)
    mask[5:20, 8:30] = 12
    place = root / "SegmentationClassAug"
    annotate(root / "Annotations" / "5.xml", ("dog", BOX))
    if form == "mat":
        sbd(place / "5.mat", mask)
        sbd(place / "._5.mat", mask)
    elif form == "palette":
        write_png(place / "5.png", mask, voc_palette())
    else:
        write_png(place / "5.png", voc_palette()[mask])
    index = voc_index(root, "train_aug")
    assert [record.id for record in index] == ["1", "2", "4", "5"]
    made = index.records[3].mask
    assert made is not None and made.parent == place
    assert np.array_equal(read_mask(made), mask) and read_mask(made).dtype == np.uint8


def test_vocs_own_mask_goes_before_that_of_sbd(root: Path) -> None:
    sbd(root / "SegmentationClassAug" / "1.mat", np.zeros((40, 50), np.uint8))
    assert voc_index(root, "train").records[0].mask == root / "SegmentationClass" / "1.png"


def test_another_mat_file_is_named(root: Path) -> None:
    path = root / "5.mat"
    with pytest.raises(UserError, match=r"5\.mat: no such mask"):
        read_mask(path)
    savemat(path, {"GTcls": {"Segmentation": np.zeros((4, 4))}})
    with pytest.raises(UserError, match=r"5\.mat: GTcls.Segmentation must be uint8"):
        read_mask(path)
    savemat(path, {"GTinst": 1})
    with pytest.raises(UserError, match=r"5\.mat: no mask of SBD"):
        read_mask(path)
    write_text(path, "text")
    with pytest.raises(UserError, match=r"5\.mat: no mask of SBD"):
        read_mask(path)


def test_all_faults_come_at_once(root: Path) -> None:
    annotate(root / "Annotations" / "1.xml", ("unicorn", BOX))
    write_text(root / "Annotations" / "4.xml", "<annotation><size>")
    write_text(root / "ImageSets/Segmentation/all.txt", "1\n2\n4\n5\n6\n2\n")
    with pytest.raises(UserError) as caught:
        voc_index(root, "all")
    text = str(caught.value)
    for part in (
        "4.xml: not a VOC annotation",
        "5.xml, while others have one",
        "6.xml, while others have one",
        "1: unknown class 'unicorn'",
        "6.jpg: no such image",
        "2: occurs twice",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("box", "kept"),
    [
        (BOX, True),
        ((0, 0, 200, 200), True),
        ((-5, -5, 3, 3), True),
        ((10.6, 10, 11.2, 20), True),
        ((10, 10, 10, 20), False),
        ((10, 10, 20, 10), False),
        ((20, 10, 10, 20), False),
        ((60, 10, 90, 20), False),
        ((10, -20, 20, -3), False),
    ],
)
def test_a_degenerate_box_is_dropped_with_its_class(
    tmp_path: Path, box: tuple[float, ...], kept: bool
) -> None:
    annotate(tmp_path / "a.xml", ("dog", box))
    assert read_annotation(tmp_path / "a.xml", VOC_CLASSES).labels == (("dog",) if kept else ())


def test_each_class_counts_once_in_mask_order(tmp_path: Path) -> None:
    annotate(
        tmp_path / "a.xml", ("dog", BOX), ("zebra", BOX), ("cat", BOX), ("dog", (5, 5, 5, 5)), ("dog", BOX)
    )
    assert read_annotation(tmp_path / "a.xml", VOC_CLASSES).labels == ("cat", "dog", "zebra")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<annotation><object><name>cat</name></object></annotation>",
        "<annotation><size><width>9</width><height>9</height></size><object><name>cat</name></object></annotation>",
        "<annotation><object><name>cat</name><bndbox><xmin>one</xmin></bndbox></object></annotation>",
    ],
)
def test_a_damaged_annotation_is_named(tmp_path: Path, text: str) -> None:
    write_text(tmp_path / "a.xml", text)
    with pytest.raises(UserError, match=r"a\.xml: not a VOC annotation"):
        read_annotation(tmp_path / "a.xml", VOC_CLASSES)


def test_real_images(shared: Path) -> None:
    train = voc_index(shared / "voc12-mini", "train")
    val = voc_index(shared / "voc12-mini", "val")
    assert (len(train), len(val)) == (26, 16)
    assert train.records[0].labels == ("aeroplane", "person")
    assert [record.id for record in voc_index(shared / "voc12-mini", "train_aug")] == sorted(
        r.id for r in train
    )
