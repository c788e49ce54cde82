"""VOC's annotations as label tools write them: a wrong size costs no label, any encoding is read."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wsss.data.images import read_image
from wsss.data.voc import voc_index
from wsss.data.voc_xml import Annotated, read_annotation
from wsss.errors import UserError
from wsss.store.files import write_png, write_text

#: H x W of the image
SIZES = ((40, 56),)
INSIDE, LOW, OUTSIDE = (4, 4, 20, 20), (2, 44, 20, 54), (60, 60, 70, 70)


def xml(*objects: tuple[str, tuple[int, ...] | str], size: str = "", head: str = "") -> str:
    """An annotation. An object's box, or what stands in place of one."""
    keys = ("xmin", "ymin", "xmax", "ymax")
    items = []
    for name, box in objects:
        inner = (
            box
            if isinstance(box, str)
            else "".join(f"<{k}>{v}</{k}>" for k, v in zip(keys, box, strict=True))
        )
        outline = inner if isinstance(box, str) else f"<bndbox>{inner}</bndbox>"
        items.append(f"<object><name>{name}</name>{outline}</object>")
    return f"{head}<annotation>{size}{''.join(items)}</annotation>"


def size(width: object, height: object) -> str:
    return f"<size><width>{width}</width><height>{height}</height></size>"


@pytest.mark.parametrize(
    ("stated", "box", "kept", "wrong"),
    [
        (size(56, 40), INSIDE, True, False),
        (size(0, 0), INSIDE, True, True),
        (size(56, 0), INSIDE, True, True),
        ("", INSIDE, True, True),
        (size("", ""), INSIDE, True, True),
        (size("None", "nan"), INSIDE, True, True),
        (size(-1, 40), INSIDE, True, True),
        (size(10, 10), (30, 20, 50, 38), True, True),
        (size(4000, 3000), INSIDE, True, True),
        (size(40, 56), (44, 2, 54, 20), True, True),
        (size(40, 56), LOW, True, True),
        (size("wide", 40), INSIDE, True, True),
        (size(0, 0), OUTSIDE, True, True),
        ("", OUTSIDE, True, True),
        ("", (20, 20, 4, 4), True, True),
        (size(56, 40), OUTSIDE, False, False),
        (size(56, 40), LOW, False, False),
    ],
)
def test_a_wrong_size_costs_no_label(
    tmp_path: Path, stated: str, box: tuple[int, ...], kept: bool, wrong: bool
) -> None:
    write_text(tmp_path / "a.xml", xml(("cat", box), size=stated))
    found = read_annotation(tmp_path / "a.xml", ("cat",), SIZES)
    outside = box == OUTSIDE or box[0] > box[2] or not kept
    assert (found.labels, found.wrong_size, found.outside) == (("cat",) if kept else (), wrong, int(outside))


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda text: text.replace("<annotation>", '<annotation xmlns="http://x">'),
        "<a>{}</a>".format,
    ],
    ids=["capitals", "namespace", "nested"],
)
def test_tags_in_other_forms_cost_no_label(tmp_path: Path, change: Callable[[str], str]) -> None:
    write_text(tmp_path / "a.xml", change(xml(("CAT", INSIDE), size=size(56, 40))))
    assert read_annotation(tmp_path / "a.xml", ("CAT",), SIZES) == Annotated(("CAT",))


@pytest.mark.parametrize("value", ["one", "7,5", "nan"])
def test_a_box_of_no_numbers_is_named(tmp_path: Path, value: str) -> None:
    write_text(tmp_path / "a.xml", xml(("cat", INSIDE)).replace("<ymin>4<", f"<ymin>{value}<"))
    with pytest.raises(UserError, match=f"<object> has bndbox/ymin '{value}'; it must be a number"):
        read_annotation(tmp_path / "a.xml", ("cat",), SIZES)


@pytest.mark.parametrize(
    "outline", ["<polygon><x1>1</x1></polygon>", "<segmentation/>", "<points>1,2</points>"]
)
def test_an_outline_without_a_box_is_enough(tmp_path: Path, outline: str) -> None:
    write_text(tmp_path / "a.xml", xml(("cat", outline)))
    assert read_annotation(tmp_path / "a.xml", ("cat",), SIZES).labels == ("cat",)
    write_text(tmp_path / "a.xml", xml(("cat", "")))
    with pytest.raises(UserError, match="<object> has no bndbox/xmin"):
        read_annotation(tmp_path / "a.xml", ("cat",), SIZES)


@pytest.mark.parametrize(
    ("encoding", "head", "name"),
    [
        ("gbk", '<?xml version="1.0" encoding="GBK"?>', "狐狸"),
        ("gb18030", '<?xml version="1.0" encoding="gb2312"?>', "狐狸"),
        ("gbk", "", "狐狸"),
        ("gbk", '<?xml version="1.0" encoding="utf-8"?>', "狐狸"),
        ("cp1252", "", "Käfer"),
        ("cp1252", '<?xml version="1.0" encoding="unheard-of"?>', "Käfer"),
        ("latin-1", '<?xml version="1.0" encoding="ISO-8859-1"?>', "Käfer"),
        ("utf-8-sig", "", "Käfer"),
        ("utf-16", '<?xml version="1.0" encoding="utf-16"?>', "Käfer"),
        ("shift_jis", '<?xml version="1.0" encoding="Shift_JIS"?>', "キツネ"),
    ],
)
def test_any_encoding_is_read(tmp_path: Path, encoding: str, head: str, name: str) -> None:
    (tmp_path / "a.xml").write_bytes(xml((name, INSIDE), head=head).encode(encoding))
    assert read_annotation(tmp_path / "a.xml", ("cat", name), SIZES).labels == (name,)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four photographs of 56 x 40 pixels in formats and cases that are not VOC's own."""
    for seed, name in enumerate(("a.jpeg", "b.JPG", "c.PNG", "d.webp")):
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 56, 3), dtype=np.uint8)
        path = tmp_path / "JPEGImages" / name
        write_png(path.with_suffix(".png"), pixels)
        image = read_image(path.with_suffix(".png"))
        path.with_suffix(".png").unlink()
        image.save(path)
    for name, stated in (
        ("a.xml", size(0, 0)),
        ("b.XML", size(56, 40)),
        ("c.xml", ""),
        ("d.xml", size(56, 40)),
    ):
        write_text(tmp_path / "Annotations" / name, xml(("cat", INSIDE), size=stated))
    write_png(tmp_path / "SegmentationClass" / "b.PNG", np.ones((40, 56), np.uint8))
    write_text(tmp_path / "ImageSets/Segmentation/train.txt", "a\nb\nc\nd\n")
    write_text(tmp_path / "classes.txt", "cat\n")
    return tmp_path


def test_the_split_says_how_many_sizes_were_wrong(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("wsss").propagate = True
    write_text(root / "Annotations" / "d.xml", xml(("cat", OUTSIDE), size=size(56, 40)))
    index = voc_index(root, "train")
    assert [record.labels for record in index] == [("cat",), ("cat",), ("cat",), ()]
    assert "train: 2 of 4 annotations have no <size>, or not that of their image" in caplog.text
    assert "1 objects have boxes without a pixel of their image" in caplog.text
    assert "1 images have no label without them" in caplog.text


def test_objects_outside_of_their_images_and_missing_ones_are_counted(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("wsss").propagate = True
    write_text(root / "Annotations" / "a.xml", xml(("cat", OUTSIDE)))
    assert voc_index(root, "train").records[0].labels == ("cat",)
    assert "train: 1 of their objects have boxes without a pixel of the image, and count" in caplog.text
    for name in ("a.xml", "b.XML", "c.xml", "d.xml"):
        write_text(root / "Annotations" / name, xml(size=size(56, 40)))
    (root / "SegmentationClass" / "b.PNG").unlink()
    voc_index(root, "train")
    assert "train: none of 4 annotations has an <object>: no image has a label" in caplog.text


def test_a_mask_in_jpeg_is_named(root: Path) -> None:
    (root / "SegmentationClass" / "b.PNG").rename(root / "SegmentationClass" / "b.jpg")
    with pytest.raises(UserError, match=r"b: .*b\.jpg: a mask must be a PNG"):
        voc_index(root, "train")


def test_lists_of_windows_are_read(root: Path) -> None:
    (root / "ImageSets/Segmentation/train.txt").write_bytes("a\r\nb\r\n".encode("utf-16"))
    (root / "classes.txt").write_bytes("cat\r\n".encode("utf-8-sig"))
    assert [record.id for record in voc_index(root, "train")] == ["a", "b"]


def test_suffixes_of_any_case_and_format(root: Path) -> None:
    index = voc_index(root, "train")
    assert [record.image.name for record in index] == ["a.jpeg", "b.JPG", "c.PNG", "d.webp"]
    assert [record.mask is not None for record in index] == [False, True, False, False]
    assert [record.id for record in voc_index(root, "train")] == ["a", "b", "c", "d"]


def test_a_format_that_is_not_read_is_named(root: Path) -> None:
    (root / "JPEGImages" / "d.webp").rename(root / "JPEGImages" / "d.HEIC")
    with pytest.raises(
        UserError, match=r"1 fault\n  d: d\.HEIC is there, but HEIC: not read; install pillow-heif"
    ):
        voc_index(root, "train")


def test_ids_are_compared_in_one_form_of_unicode(root: Path) -> None:
    (root / "JPEGImages" / "a.jpeg").rename(root / "JPEGImages" / "a\u0308.jpeg")
    (root / "Annotations" / "a.xml").rename(root / "Annotations" / "\u00e4.xml")
    write_text(root / "ImageSets/Segmentation/train.txt", "\u00e4\nb\n")
    assert [(record.id, record.labels) for record in voc_index(root, "train")] == [
        ("ä", ("cat",)),
        ("b", ("cat",)),
    ]
