"""Data sets in PASCAL VOC 2012's layout: splits, image-level labels from XML files, palette masks.

A root holds JPEGImages/{id}.jpg or .png, Annotations/{id}.xml, SegmentationClass/{id}.png,
ImageSets/Segmentation/{split}.txt, and classes.txt where the classes are not VOC's own. The masks that make
train_aug (SBD, Hariharan et al., 2011) lie in SegmentationClassAug, as PNG or as SBD's .mat files.
"""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from wsss.data.index import Index, Record, build_index
from wsss.data.sbd import MAT
from wsss.errors import UserError

VOC_CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
TRAIN_AUG = "train_aug"
TEST = "test"
LISTS = Path("ImageSets", "Segmentation")
MASK_DIRECTORIES = ("SegmentationClass", "SegmentationClassAug")
MASK_SUFFIXES = (".png", MAT)
IMAGE_SUFFIXES = (".jpg", ".png")


def voc_index(root: str | Path, split: str, *, digest: str = "") -> Index:
    """The checked index of a split of the data set at `root`.

    Paths in it are `root`'s, relative or absolute as given. Raises UserError with every fault of the split.
    """
    classes = voc_classes(root)
    records, faults = voc_records(root, split, classes)
    return build_index(records, classes, split, digest=digest, faults=faults)


def voc_classes(root: str | Path) -> tuple[str, ...]:
    """Foreground classes in mask order: the lines of root/classes.txt if it is there, else VOC's twenty."""
    path = Path(root, "classes.txt")
    if not path.is_file():
        return VOC_CLASSES
    return tuple(_lines(path))


def voc_ids(root: str | Path, split: str) -> list[str]:
    """The ids of a split: the lines of its list file.

    train_aug needs no list: it is then every id that has a mask and is not in val, sorted.
    Raises UserError naming the list and the splits there are.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root}: no such directory; it should be the root of a data set in VOC's layout")
    path = root / LISTS / f"{split}.txt"
    if path.is_file():
        return _lines(path)
    if split != TRAIN_AUG:
        lists = sorted(file.stem for file in (root / LISTS).glob("*.txt"))
        raise UserError(
            f"{path}: no such list; splits of this data set are {', '.join(lists) or 'none'}, and {TRAIN_AUG}"
        )
    held_out = set(voc_ids(root, "val"))
    masked = {
        mask.stem
        for name in MASK_DIRECTORIES
        for suffix in MASK_SUFFIXES
        for mask in (root / name).glob(f"[!.]*{suffix}")
    }
    return sorted(masked - held_out)


def voc_records(root: str | Path, split: str, classes: Sequence[str]) -> tuple[list[Record], list[str]]:
    """The images of a split with their files and labels, and the faults of its annotations.

    A split in which no image has an XML file has no labels. One in which some have it and some have not is a
    fault: images without labels would silently train as background. VOC's own `test` has none whatever files
    there are: those are of other tasks, and do not name all that is to be seen.
    """
    root = Path(root)
    unlabelled_test = split == TEST and tuple(classes) == VOC_CLASSES
    records = []
    faults = []
    unlabelled = []
    for name in voc_ids(root, split):
        annotation = root / "Annotations" / f"{name}.xml"
        labels: tuple[str, ...] = ()
        if annotation.is_file() and not unlabelled_test:
            try:
                labels = read_labels(annotation, classes)
            except UserError as error:
                faults.append(f"{name}: {error}")
        else:
            unlabelled.append(name)
        records.append(Record(name, _image(root, name), _mask(root, name), labels))
    if len(unlabelled) < len(records):
        faults += [
            f"{name}: no {root / 'Annotations' / name}.xml, while others have one" for name in unlabelled
        ]
    return records, faults


def read_labels(path: str | Path, classes: Sequence[str]) -> tuple[str, ...]:
    """The classes of a VOC annotation's objects, each once, in the order of `classes`, unknown ones last.

    As published, boxes are clipped to the image and one without width or height is dropped together with its
    class; objects marked difficult count. Raises UserError naming the file.
    """
    try:
        annotation = ET.parse(path).getroot()
        width = _number(annotation, "size/width")
        height = _number(annotation, "size/height")
        names = set()
        for item in annotation.iterfind("object"):
            left, right = (_clip(_number(item, f"bndbox/{key}"), width) for key in ("xmin", "xmax"))
            top, bottom = (_clip(_number(item, f"bndbox/{key}"), height) for key in ("ymin", "ymax"))
            if right > left and bottom > top:
                names.add(_text(item, "name"))
    except (OSError, ET.ParseError, ValueError) as error:
        raise UserError(f"{path}: not a VOC annotation ({error}); replace it") from None
    order = {name: position for position, name in enumerate(classes)}
    return tuple(sorted(names, key=lambda name: (order.get(name, len(order)), name)))


def _lines(path: Path) -> list[str]:
    """Lines that are not blank, without ends of line of any system."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a text file ({error}); it must hold an id a line") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _image(root: Path, name: str) -> Path:
    paths = [root / "JPEGImages" / f"{name}{suffix}" for suffix in IMAGE_SUFFIXES]
    return next((path for path in paths if path.is_file()), paths[0])


def _mask(root: Path, name: str) -> Path | None:
    paths = [
        root / directory / f"{name}{suffix}" for directory in MASK_DIRECTORIES for suffix in MASK_SUFFIXES
    ]
    return next((path for path in paths if path.is_file()), None)


def _clip(value: float, size: float) -> float:
    return max(0.0, min(value, size - 1))


def _number(element: ET.Element, path: str) -> float:
    return float(_text(element, path))


def _text(element: ET.Element, path: str) -> str:
    text = (element.findtext(path) or "").strip()
    if not text:
        raise ValueError(f"<{element.tag}> has no {path}")
    return text
