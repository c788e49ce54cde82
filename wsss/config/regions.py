"""Regions: masks of parts of an image, along whose edges pseudo labels are drawn."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from wsss.config.section import Fault, ReadWhen, Section


class RegionsConfig(Section):
    """Where the masks of regions come from; `segmentation.pseudo.vote` says how they are used."""

    source: Annotated[
        Literal["felzenszwalb", "slic", "folder"],
        Field(
            description="superpixels of scikit-image, `felzenszwalb` (Felzenszwalb and Huttenlocher, 2004) "
            "or `slic` (Achanta et al., 2012), or files of a `folder`, as SAM writes them"
        ),
    ] = "felzenszwalb"
    scale: Annotated[
        float,
        Field(gt=0, description="preference for larger superpixels"),
        ReadWhen("source", ("felzenszwalb",)),
    ] = 100.0
    sigma: Annotated[
        float,
        Field(ge=0, description="width of the Gaussian filter before, in pixels"),
        ReadWhen("source", ("felzenszwalb",)),
    ] = 0.5
    min_size: Annotated[
        int,
        Field(ge=1, description="pixels of the smallest superpixel"),
        ReadWhen("source", ("felzenszwalb",)),
    ] = 50
    segments: Annotated[
        int, Field(ge=1, description="superpixels per image, about"), ReadWhen("source", ("slic",))
    ] = 250
    compactness: Annotated[
        float,
        Field(gt=0, description="weight of distance against color; greater is squarer"),
        ReadWhen("source", ("slic",)),
    ] = 10.0
    root: Annotated[
        Path | None,
        Field(
            description="directory of one file per image: <id>.png, whose pixels hold the number of their "
            "region and 0 where there is none, or <id>.json, a list of masks in COCO's RLE"
        ),
        ReadWhen("source", ("folder",)),
    ] = None
    largest: Annotated[
        float,
        Field(gt=0, le=1, description="regions that cover a larger share of the image are left out"),
    ] = 0.9

    def faults(self) -> Iterable[Fault]:
        if self.source == "folder" and self.root is None:
            yield Fault("root", "set for source folder: a directory of masks")
