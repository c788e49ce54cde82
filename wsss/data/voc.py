"""Data sets in PASCAL VOC 2012's layout: splits, image-level labels from XML files, palette masks.

A root holds JPEGImages/{id}.jpg (or .png, .jpeg, …), Annotations/{id}.xml, SegmentationClass/{id}.png,
ImageSets/Segmentation/{split}.txt, and classes.txt where the classes are not VOC's own. The masks that make
train_aug (SBD, Hariharan et al., 2011) lie in SegmentationClassAug, as PNG or as SBD's .mat files.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wsss.data.folder import NO_MASK
from wsss.data.formats import rank, suffixes, why_unread
from wsss.data.images import read_header
from wsss.data.index import Index, Record
from wsss.data.indexing import Checking, build_index
from wsss.data.listing import Names, nfc
from wsss.data.mask_form import labelmap_classes
from wsss.data.sbd import MAT
from wsss.data.text_files import read_text
from wsss.data.voc_xml import Annotated, read_annotation, tell_annotations
from wsss.errors import UserError
from wsss.progress import LOGGER

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


def voc_index(
    root: str | Path,
    split: str,
    *,
    digest: str = "",
    masked: bool = True,
    checking: Checking | None = None,
) -> Index:
    """The checked index of a split of the data set at `root`.

    Paths in it are `root`'s, relative or absolute as given. Masks are decoded by the colors of
    root/labelmap.txt where that names the classes. masked: whether masks are read. Raises
    UserError with every fault of the split.
    """
    root, checking = Path(root), checking or Checking()
    classes = voc_classes(root)
    if checking.mask_values is None and (labelmap := _labelmap(root)):
        checking = replace(checking, mask_values=labelmap)
    records, faults = voc_records(root, split, classes)
    if masked and records and split != TEST and not any(record.mask for record in records):
        LOGGER.warning(
            "%s: no image has a mask in %s, so this split cannot be scored; where train has none, set "
            "dataset.with_masks to false",
            *(split, " or ".join(str(root / directory) for directory in MASK_DIRECTORIES)),
        )
    if not masked:
        records = [replace(record, mask=None) for record in records]
    return build_index(records, classes, split, digest=digest, faults=faults, checking=checking)


def voc_classes(root: str | Path) -> tuple[str, ...]:
    """Foreground classes in mask order: the lines of root/classes.txt if it is there, else VOC's twenty.

    Without classes.txt, they are those of CVAT's labelmap.txt where there is one.
    """
    path = Path(root, "classes.txt")
    if not path.is_file():
        labelmap = _labelmap(Path(root))
        return labelmap_classes(labelmap) if labelmap else VOC_CLASSES
    return tuple(map(nfc, _lines(path)))


def _labelmap(root: Path) -> Path | None:
    """CVAT's table of colors, where it is what names the classes."""
    path = root / "labelmap.txt"
    return path if path.is_file() and not (root / "classes.txt").is_file() else None


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
    held_out = set(map(nfc, voc_ids(root, "val")))
    masked = {
        name
        for directory in MASK_DIRECTORIES
        for name in Names(root / directory, frozenset(MASK_SUFFIXES)).found
    }
    return sorted(masked - held_out)


def voc_records(root: str | Path, split: str, classes: Sequence[str]) -> tuple[list[Record], list[str]]:
    """The images of a split with their files and labels, and the faults of its annotations.

    A split in which no image has an XML file has no labels. One in which some have it and some have not is a
    fault: images without labels would silently train as background. VOC's own `test` has none whatever files
    there are: those are of other tasks, and do not name all that is to be seen.
    """
    root = Path(root)
    unlabeled_test = split == TEST and tuple(classes) == VOC_CLASSES
    images = Names(root / "JPEGImages", suffixes())
    annotations = Names(root / "Annotations", frozenset({".xml"}))
    masks = [Names(root / directory, frozenset(MASK_SUFFIXES)) for directory in MASK_DIRECTORIES]
    records: list[Record] = []
    faults: list[str] = []
    unlabeled: list[str] = []
    found: list[Annotated] = []
    for name in map(nfc, voc_ids(root, split)):
        image, fault = _image(images, name)
        if fault:
            faults.append(f"{name}: {fault}")
            continue
        annotation = None if unlabeled_test else annotations.get(name)
        labels: tuple[str, ...] = ()
        if annotation is None:
            unlabeled.append(name)
        else:
            try:
                found.append(read_annotation(annotation, classes, _sizes(image)))
                labels = found[-1].labels
            except UserError as error:
                faults.append(f"{name}: {error}")
        mask = next((path for names in masks if (path := _first(names, name, MASK_SUFFIXES))), None)
        unread = [path for names in masks for path in names.left_out.get(name, ())]
        faults += [f"{name}: {unread[0]}: {NO_MASK}"] if unread and mask is None else []
        records.append(Record(name, image, mask, labels))
    if len(unlabeled) < len(records):
        faults += [
            f"{name}: no {root / 'Annotations' / name}.xml, while others have one" for name in unlabeled
        ]
    tell_annotations(split, found)
    return records, faults


def voc_images(root: Path, split: str) -> dict[str, Path]:
    """The image files of a split by id."""
    images = Names(root / "JPEGImages", suffixes())
    return {name: _image(images, name)[0] for name in map(nfc, voc_ids(root, split))}


def _lines(path: Path) -> list[str]:
    """Lines that are not blank, without ends of line of any system."""
    text = read_text(path, "it must hold a name a line")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _image(images: Names, name: str) -> tuple[Path, str]:
    """An image's file, and what is wrong where it is of a format that is not read."""
    if path := _first(images, name, IMAGE_SUFFIXES):
        return path, ""
    expected = images.directory / f"{name}{IMAGE_SUFFIXES[0]}"
    unread = images.left_out.get(nfc(name), ())
    return expected, "; ".join(f"{path.name} is there, but {why_unread(path)}" for path in unread)


def _first(names: Names, name: str, suffixes: Sequence[str]) -> Path | None:
    """The file of a name whose suffix comes first, others by their format."""
    order = {suffix: position for position, suffix in enumerate(suffixes)}
    paths = names.found.get(nfc(name), ())
    return min(paths, key=lambda path: (order.get(path.suffix.lower(), len(order)), rank(path)), default=None)


def _sizes(image: Path) -> tuple[tuple[int, int], ...]:
    """(H, W) of an image as it is stored and as it is shown, which its annotation may be of."""
    try:
        header = read_header(image)
    except UserError:
        return ()
    return header.size, header.upright
