"""Where the images come from. Another kind of data set is a model here, with its `kind` in `DatasetConfig`.

Every kind has `train` and `val`, the names of its splits; `val_labels`, whether `val` has image-level labels;
`negatives`, what training images without any class are for; `has_masks`, whether there is anything to score
against; `archives`, what can be downloaded; and `sources`, the files that the index of a split is made from.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wsss.config.section import Fault, Section, repeated

SplitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
KIND = Field(description="layout of the data set")
VAL = Field(description="split for validation")

Negatives = Annotated[
    Literal["use", "drop"],
    Field(
        description="training images that show none of the classes: `use` trains OC, priors and C2AM with "
        "them as negatives; `drop` leaves them out there"
    ),
]
Archives = Annotated[
    Path | None,
    Field(
        description="file that lists the archives to download and unpack if `root` does not exist; null: none"
    ),
]


class LabeledDataset(Section):
    """What data sets have in common that people have labeled."""

    kind: Annotated[str, KIND]
    val_labels: Annotated[
        bool,
        Field(description="whether the images of `val` have image-level labels; without, `val` has no CAMs"),
    ] = True
    with_masks: Annotated[
        bool, Field(description="whether the data set has masks; without masks the run can't be scored")
    ] = True
    mask_values: Annotated[
        dict[str, str] | Path | None,
        Field(
            description="meaning of the masks' values or colors, such as `{0: background, 255: cell}` or "
            '`{"#ff0000": cat}`, or a file of colors such as CVAT\'s labelmap.txt; null: 0 is background, '
            "1, 2, … are the classes, 255 is ignored"
        ),
    ] = None
    masks_orientation: Annotated[
        Literal["auto", "seen", "stored"],
        Field(
            description="orientation of the masks of photographs with an EXIF orientation: `seen`, as "
            "viewers display the photograph; `stored`, as its file stores it; `auto`: `seen` if the size "
            "fits, else `stored`"
        ),
    ] = "auto"
    negatives: Negatives = "drop"
    allow_overlap: Annotated[
        bool,
        Field(description="accept images that are both in `train` and in `val`, which makes scores too high"),
    ] = False

    @property
    def has_masks(self) -> bool:
        """Whether anything can be scored."""
        return self.with_masks

    def unread(self) -> frozenset[str]:
        return frozenset({"archives", "allow_overlap"})

    @property
    def mask_table(self) -> tuple[Path, ...]:
        """The file that says what masks mean, where one does."""
        return (self.mask_values,) if isinstance(self.mask_values, Path) else ()


class VocDataset(LabeledDataset):
    """PASCAL VOC 2012, or any data set in its layout (Everingham et al., 2010)."""

    kind: Annotated[Literal["voc"], KIND]
    root: Annotated[Path, Field(description="directory with JPEGImages, SegmentationClass and Annotations")]
    train: Annotated[
        SplitName,
        Field(
            description="split for training: `train_aug` is every image with a mask that is not in `val`; "
            "other names are lists in ImageSets/Segmentation"
        ),
    ] = "train_aug"
    val: Annotated[SplitName, VAL] = "val"
    archives: Archives = None

    def sources(self, split: str) -> tuple[Path, ...]:
        """The split's list, that of `val`, which `train_aug` leaves out, and the table of colors."""
        lists = self.root / "ImageSets" / "Segmentation"
        return (*sorted({lists / f"{split}.txt", lists / f"{self.val}.txt"}), *self.mask_table)


class CocoDataset(LabeledDataset):
    """MS COCO 2014, or any data set with annotations in its form (Lin et al., 2014)."""

    kind: Annotated[Literal["coco"], KIND]
    root: Annotated[
        Path,
        Field(
            description="directory with annotations/instances_<split>.json, and the images in <split> or "
            "JPEGImages"
        ),
    ]
    train: Annotated[SplitName, Field(description="split for training")] = "train2014"
    val: Annotated[SplitName, VAL] = "val2014"
    labels: Annotated[
        Path | None,
        Field(description="file of image-level labels, cls_labels*.npy; null: those of the annotations"),
    ] = None
    masks: Annotated[
        Path | None,
        Field(description="directory of masks, one PNG per image; null: painted from the annotations"),
    ] = None
    archives: Archives = None

    def sources(self, split: str) -> tuple[Path, ...]:
        """The split's annotations, the labels where they are given, and the table of colors."""
        return (self.annotations(split), *([self.labels] if self.labels else []), *self.mask_table)

    def faults(self) -> Iterable[Fault]:
        if self.mask_values is not None and self.masks is None:
            yield Fault("mask_values", "null where masks are painted from the annotations (dataset.masks)")

    def annotations(self, split: str) -> Path:
        """The file that annotates a split."""
        return self.root / "annotations" / f"instances_{split}.json"


class FolderDataset(LabeledDataset):
    """A user's own photographs, and a table of the classes in each."""

    train: ClassVar[str] = "train"
    val: ClassVar[str] = "val"
    archives: ClassVar[None] = None

    kind: Annotated[Literal["folder"], KIND]
    images: Annotated[Path, Field(description="directory of the photographs")]
    labels: Annotated[
        Path,
        Field(
            description="CSV with the columns `image` and `labels` (several are separated by `;`, `|` or "
            "`,`), or a column of 0 and 1 per class; and `split`, unless splits are drawn"
        ),
    ]
    masks: Annotated[
        Path | None,
        Field(
            description="directory of masks, one PNG per photograph or for some of them; null: the run can't "
            "be scored"
        ),
    ] = None
    classes: Annotated[
        tuple[str, ...] | None,
        Field(
            description="classes in the order of the masks' values 1, 2, …; null: those of the table, in "
            "alphabetical order"
        ),
    ] = None
    val_share: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            description="share of the photographs that is drawn for `val`, if the table has no column "
            "`split`",
        ),
    ] = 0.2
    seed: Annotated[int, Field(ge=0, lt=2**32, description="seed for drawing the splits")] = 0
    image_column: Annotated[
        str | None,
        Field(description="column of the table with the images; null: `image`, `filename` or `file_name`"),
    ] = None
    label_column: Annotated[
        str | None,
        Field(
            description="column of the table with the labels; null: `labels` or `label`, or a column of 0 "
            "and 1 per class"
        ),
    ] = None
    negatives: Negatives = "use"

    @property
    def has_masks(self) -> bool:
        """Whether anything can be scored."""
        return self.masks is not None and self.with_masks

    def sources(self, split: str) -> tuple[Path, ...]:
        """The table, for every split, and that of colors."""
        return (self.labels, *self.mask_table)

    def faults(self) -> Iterable[Fault]:
        yield from repeated("classes", self.classes or ())
        if self.has_masks and self.classes is None:
            yield Fault("classes", "a list where there are masks, as it gives their values a meaning")


class ShapesDataset(Section):
    """The embedded data set: drawn from a seed, in VOC's layout."""

    train: ClassVar[str] = "train"
    val: ClassVar[str] = "val"
    val_labels: ClassVar[bool] = True
    has_masks: ClassVar[bool] = True
    negatives: ClassVar[Literal["drop"]] = "drop"
    archives: ClassVar[None] = None

    kind: Annotated[Literal["shapes"], KIND]
    seed: Annotated[int, Field(ge=0, description="seed for drawing the images")] = 0
    train_images: Annotated[int, Field(ge=1, description="number of training images")] = 300
    val_images: Annotated[int, Field(ge=1, description="number of validation images")] = 80
    size: Annotated[int, Field(ge=32, le=1024, description="mean side length of an image, in pixels")] = 128


DatasetConfig = Annotated[
    VocDataset | CocoDataset | FolderDataset | ShapesDataset, Field(discriminator="kind")
]
