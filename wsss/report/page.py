"""The page: everything that it shows, put into its template."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from wsss.data.index import Index
from wsss.data.palette import voc_palette
from wsss.metrics import IGNORE
from wsss.report import provenance
from wsss.report.corrections import corrections_of
from wsss.report.curves import threshold_charts, training_charts, training_warnings
from wsss.report.gallery import Row
from wsss.report.pictures import ERRORS
from wsss.report.published import FIGURES, SPLIT, classes_of
from wsss.report.results import Results, read_bound
from wsss.report.sections import classes, confusion, funnel, published
from wsss.report.templating import fill


@dataclass(frozen=True)
class Shade:
    """A color of the legend. value: of the mask; -1 for what is no class."""

    value: int
    name: str
    color: str


def render(results: Results, index: Index, gallery: Sequence[Row]) -> str:
    """The page of a run as HTML. index: of the split that the gallery is of."""
    run = results.run
    jobs = provenance.jobs_of(run)
    bound_name, bound = read_bound(run)
    beside, class_rows = classes(results, bound)
    known, note = published(run, "masks")
    final = results.scores["masks"].number("miou", digits=2)
    return fill(
        "report.html",
        {
            "run": run,
            "made": time.strftime("%Y-%m-%d %H:%M"),
            "final": final,
            "scored": final.value is not None,
            "unmasked": results.scores["masks"].number("protocol", "images_without_mask", digits=0),
            "masks": results.scores["masks"].values,
            "images": results.scores["masks"].number("protocol", "images", digits=0),
            "class_count": results.scores["masks"].number("protocol", "classes", digits=0),
            "published": known,
            "published_note": note,
            "published_split": SPLIT if classes_of(run) else "",
            "published_runs": [name for name, stages in FIGURES.items() if "masks" in stages],
            "corrections": corrections_of(run),
            "bound_name": bound_name,
            "bound": bound.number("miou", digits=2) if bound else None,
            "stages": funnel(results, provenance.devices_of(jobs)),
            "beside": beside,
            "classes": class_rows,
            "thresholds": threshold_charts(results),
            "trainings": training_charts(results),
            "warnings": training_warnings(results),
            "confusion": confusion(results.images),
            "gallery": gallery,
            "columns": list(dict.fromkeys(picture.stage for row in gallery for picture in row.pictures)),
            "legend": shades(index),
            "errors": errors(),
            "colors": {shade.value: shade.color for shade in shades(index)},
            "said": provenance.comments_of(run),
            "settings": provenance.settings_of(run),
            "seeds": provenance.seeds_of(run),
            "machines": provenance.machines_of(jobs),
            "commands": {stage: made[-1].command for stage, made in jobs.items() if made},
            "protocols": provenance.protocols_of(run, results.metrics),
        },
    )


def shades(index: Index) -> list[Shade]:
    """The classes in the data set's colors, with their values, and what is ignored."""
    named = [(value + 1, name) for value, name in enumerate(index.classes)] + [(IGNORE, "open or ignored")]
    palette = voc_palette()
    return [Shade(0, "background", "transparent"), *(Shade(v, name, _hex(palette[v])) for v, name in named)]


def errors() -> list[Shade]:
    """The kinds of error."""
    return [Shade(value, name, _hex(color)) for name, (value, color) in ERRORS.items()]


def _hex(color: Sequence[int]) -> str:
    return "#" + "".join(f"{int(part):02x}" for part in color)
