"""Where the images come from. A later data set adds a model here and its `kind` to `Dataset`.

Every kind has `train` and `val`, the names of its splits; `val_labels`, whether `val` has image-level labels;
`has_masks`, whether there is anything to score against; `archives`, which says where it can be fetched; and
`sources`, the files that the index of a split is made of.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wsss.config.section import Fault, Section, repeated

SplitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
Archives = Annotated[
    Path | None,
    Field(
        description="file that says which archives are fetched and unpacked where `root` is not there; "
        "null: none"
    ),
]


ValLabels = Annotated[
    bool,
    Field(description="whether the images of `val` have image-level labels, and so pseudo labels"),
]
WithMasks = Annotated[
    bool,
    Field(description="whether there are masks to score by; false: the run ends with masks and no mIoU"),
]
MaskValues = Annotated[
    dict[str, str] | Path | None,
    Field(
        description="what the masks' values or colors mean, such as `{0: background, 255: cell}` or "
        '`{"#ff0000": cat}`, or a file of colors such as CVAT\'s labelmap.txt; null: 0 is background, '
        "1, 2, … the classes, 255 ignored"
    ),
]
MasksOrientation = Annotated[
    Literal["auto", "seen", "stored"],
    Field(
        description="orientation of the masks of photographs with an EXIF orientation: as viewers show the "
        "photograph, or as the file stores it; `auto`: as shown where that fits"
    ),
]
AllowOverlap = Annotated[
    bool,
    Field(description="accept images that are in `train` and in `val`, which makes scores too good"),
]


class VocDataset(Section):
    """PASCAL VOC 2012, or any data set in its layout (Everingham et al., 2010)."""

    kind: Literal["voc"] = Field(description="layout of the data set")
    root: Path = Field(description="directory that holds JPEGImages, SegmentationClass and Annotations")
    train: SplitName = Field(
        "train_aug",
        description="split to train on: `train_aug` is every image with a mask that is not in `val`, "
        "any other name is a list in ImageSets/Segmentation",
    )
    val: SplitName = Field("val", description="split to validate on")
    val_labels: ValLabels = True
    with_masks: WithMasks = True
    mask_values: MaskValues = None
    masks_orientation: MasksOrientation = "auto"
    allow_overlap: AllowOverlap = False
    archives: Archives = None

    @property
    def has_masks(self) -> bool:
        """Whether anything can be scored."""
        return self.with_masks

    def unread(self) -> frozenset[str]:
        return frozenset({"archives", "allow_overlap"})

    def sources(self, split: str) -> tuple[Path, ...]:
        """The split's list, that of `val`, which `train_aug` leaves out, and the table of colors."""
        lists = self.root / "ImageSets" / "Segmentation"
        return (*sorted({lists / f"{split}.txt", lists / f"{self.val}.txt"}), *_table(self.mask_values))


class CocoDataset(Section):
    """MS COCO 2014, or any data set with annotations in its form (Lin et al., 2014)."""

    kind: Literal["coco"] = Field(description="layout of the data set")
    root: Path = Field(
        description="directory that holds annotations/instances_<split>.json, and the images in <split> or "
        "JPEGImages"
    )
    train: SplitName = Field("train2014", description="split to train on")
    val: SplitName = Field("val2014", description="split to validate on")
    labels: Path | None = Field(
        None, description="image-level labels that one has, cls_labels*.npy; null: those of the annotations"
    )
    masks: Path | None = Field(
        None,
        description="directory of masks that one has, a PNG per image; null: painted from the annotations",
    )
    val_labels: ValLabels = True
    with_masks: WithMasks = True
    mask_values: MaskValues = None
    masks_orientation: MasksOrientation = "auto"
    allow_overlap: AllowOverlap = False
    archives: Archives = None

    @property
    def has_masks(self) -> bool:
        """Whether anything can be scored."""
        return self.with_masks

    def unread(self) -> frozenset[str]:
        return frozenset({"archives", "allow_overlap"})

    def sources(self, split: str) -> tuple[Path, ...]:
        """The split's annotations, the labels where they are given, and the table of colors."""
        return (self.annotations(split), *([self.labels] if self.labels else []), *_table(self.mask_values))

    def faults(self) -> Iterable[Fault]:
        if self.mask_values is not None and self.masks is None:
            yield Fault("mask_values", "null where masks are painted from the annotations (dataset.masks)")

    def annotations(self, split: str) -> Path:
        """The file that annotates a split."""
        return self.root / "annotations" / f"instances_{split}.json"


class FolderDataset(Section):
    """Photographs of one's own, and a table of what each shows."""

    train: ClassVar[str] = "train"
    val: ClassVar[str] = "val"
    archives: ClassVar[None] = None

    kind: Literal["folder"] = Field(description="layout of the data set")
    images: Path = Field(description="directory of the photographs")
    labels: Path = Field(
        description="CSV with the columns `image` and `labels`, of which several are separated by `;`, `|` "
        "or `,`, or with a column of 0 and 1 per class; and `split` where the splits are given"
    )
    masks: Path | None = Field(
        None, description="directory of masks, a PNG per photograph or of some; null: nothing can be scored"
    )
    classes: tuple[str, ...] | None = Field(
        None, description="classes in the order of the masks' values 1, 2, …; null: those found, by alphabet"
    )
    val_share: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="part of the photographs that is drawn for `val`, unless splits are given",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed that the splits are drawn with")
    image_column: Annotated[
        str | None,
        Field(description="the table's column of images; null: `image`, `filename` or `file_name`"),
    ] = None
    label_column: Annotated[
        str | None,
        Field(
            description="the table's column of labels; null: `labels` or `label`, or one of 0 and 1 per class"
        ),
    ] = None
    val_labels: ValLabels = True
    mask_values: MaskValues = None
    masks_orientation: MasksOrientation = "auto"
    allow_overlap: AllowOverlap = False

    @property
    def has_masks(self) -> bool:
        """Whether anything can be scored."""
        return self.masks is not None

    def unread(self) -> frozenset[str]:
        return frozenset({"allow_overlap"})

    def sources(self, split: str) -> tuple[Path, ...]:
        """The table, for every split, and that of colors."""
        return (self.labels, *_table(self.mask_values))

    def faults(self) -> Iterable[Fault]:
        yield from repeated("classes", self.classes or ())
        if self.has_masks and self.classes is None:
            yield Fault("classes", "a list in a data set with masks, whose values it explains")


class ShapesDataset(Section):
    """The embedded data set: drawn on the spot from a seed, in VOC's layout."""

    train: ClassVar[str] = "train"
    val: ClassVar[str] = "val"
    val_labels: ClassVar[bool] = True
    has_masks: ClassVar[bool] = True
    archives: ClassVar[None] = None

    kind: Literal["shapes"] = Field(description="layout of the data set")
    seed: int = Field(0, ge=0, description="seed that the images are drawn from")
    train_images: int = Field(300, ge=1, description="number of training images")
    val_images: int = Field(80, ge=1, description="number of validation images")
    size: int = Field(128, ge=32, le=1024, description="mean side of an image, px")


def _table(mask_values: dict[str, str] | Path | None) -> tuple[Path, ...]:
    """The file that says what masks mean, where one does."""
    return (mask_values,) if isinstance(mask_values, Path) else ()


DatasetConfig = Annotated[
    VocDataset | CocoDataset | FolderDataset | ShapesDataset, Field(discriminator="kind")
]
