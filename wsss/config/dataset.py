"""Where the images come from. A later data set adds a model here and its `kind` to `Dataset`."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wsss.config.section import Section

SplitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]


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
    val_labels: bool = Field(
        True, description="whether the images of `val` have image-level labels, and so pseudo labels"
    )


class ShapesDataset(Section):
    """The embedded data set: drawn on the spot from a seed, in VOC's layout."""

    train: ClassVar[str] = "train"
    val: ClassVar[str] = "val"
    val_labels: ClassVar[bool] = True

    kind: Literal["shapes"] = Field(description="layout of the data set")
    seed: int = Field(0, ge=0, description="seed that the images are drawn from")
    train_images: int = Field(300, ge=1, description="number of training images")
    val_images: int = Field(80, ge=1, description="number of validation images")
    size: int = Field(128, ge=32, le=1024, description="mean side of an image, px")


Dataset = Annotated[VocDataset | ShapesDataset, Field(discriminator="kind")]
