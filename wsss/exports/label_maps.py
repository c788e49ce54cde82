"""Exports label maps in a form that other tools read, with a table of areas and, if asked for, overlays."""

import csv
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from wsss.data.images import read_image
from wsss.data.outlines import regions_of
from wsss.errors import UserError
from wsss.exports.areas import COLUMNS, area_rows
from wsss.exports.formats import FORMATS, Target
from wsss.exports.overlays import with_legend
from wsss.exports.sources import Source
from wsss.progress import track
from wsss.store.files import atomic_directory, is_there


def export_label_maps(
    source: Source,
    form: str,
    out: Path,
    *,
    images: Literal["link", "copy", "none"] = "link",
    least: int = 1,
    pixels_per_cm: float | None = None,
    overlays: bool = False,
    progress: bool = True,
) -> int:
    """Write photographs with their labels to a new directory; returns the number of regions.

    form: one of `FORMATS`. images: photographs are linked, copied or left out. least: smaller regions, in px,
    are left out of forms with regions. pixels_per_cm: for areas in cm². overlays: pictures with a legend.
    One photograph at a time is in memory. `out` appears when it is whole. Raises UserError where it is there.
    """
    if is_there(out):
        raise UserError(f"{out}: is there already; remove it, or choose another --out")
    count = 0
    with atomic_directory(out) as root:
        target = Target(root, source.classes, source.splits, images)
        writer = FORMATS[form](target)
        with open(root / "areas.csv", "w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, [*COLUMNS, *(["cm2"] if pixels_per_cm else [])])
            table.writeheader()
            for image in track(
                source, label=f"exporting {form}", total=len(source), unit="photographs", enabled=progress
            ):
                regions = list(regions_of(image.mask, image.scores, least=least))
                writer.add(image, regions)
                count += len(regions)
                table.writerows(area_rows(image, regions, source.classes, pixels_per_cm))
                if overlays:
                    photo = np.asarray(read_image(image.path))
                    picture = with_legend(photo, image.mask, source.classes)
                    Image.fromarray(picture).save(target.file("overlays", f"{image.name}.jpg"), quality=90)
        writer.close()
    return count
