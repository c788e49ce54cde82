"""A whole run of a few small images, as far as its report reads it; and where a page's numbers come from."""

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from support.chain import Toy
from support.images import CLASSES, SIZES, make_cams, make_masks

from workflow.scripts.report import report
from wsss.data.palette import read_mask, voc_palette
from wsss.evaluation.labels import score_labels
from wsss.evaluation.saliency import score_saliency
from wsss.evaluation.scores import CAMS, WALKS, evaluate_scores
from wsss.inference.shards import open_shards
from wsss.report.chain import write_chain
from wsss.report.published import CLASSES as PUBLISHED_CLASSES
from wsss.report.published import FIGURES
from wsss.store.files import write_csv, write_json
from wsss.store.label_maps import LabelShard, write_label_shard
from wsss.store.maps import write_shard
from wsss.store.walks import WalkMaps

RESULTS = Path("results")
HOME = RESULTS / "toy"


def report_files(toy: Toy) -> dict[str, Any]:
    """Make what a report of the run `toy` reads; its training images are its validation images, too."""
    shards = {"cams": [make_cams(_shard(toy, "cams"), toy.index, toy.run.digest("cams"))]}
    shards["walks"] = [_walks(toy)]
    masks = make_masks(_shard(toy, "saliency_crf"), toy.index, toy.run.digest("saliency_crf"))
    shards["saliency_crf"] = [masks]
    for stage, last in (("affinity_labels", 255), ("pseudo_labels", 2), ("masks", 1)):
        shards[stage] = [_labels(toy, stage, last)]
    files = _metrics(toy, shards)
    columns = {"step": 1, "epoch": 0.5, "lr/generator": 0.01, "loss/tiles": 2.5, "val/miou": ""}
    trainings = [HOME / "metrics" / f"{stage}_training.csv" for stage in ("priors", "segmentation")]
    for path in trainings:
        write_csv(path, [columns, {**columns, "epoch": 1.0, "loss/tiles": 1.25, "val/miou": 55.5}])
    chain = HOME / "metrics" / "chain.csv"
    write_chain(chain, toy.run, files)
    masks = shards.pop("masks")
    maps = [path for paths in shards.values() for path in paths]
    return {"metrics": files, "trainings": trainings, "chain": chain, "maps": maps, "masks": masks}


def report_page(toy: Toy) -> Path:
    """The page of the run `toy`."""
    return write_report(toy, report_files(toy))


def write_report(toy: Toy, files: dict[str, Any]) -> Path:
    """Write the page of the run `toy` from these files."""
    page = HOME / "report.html"
    report(toy.step("masks", **files, out=page, images=HOME / "metrics" / "images.json"))
    return page


def _shard(toy: Toy, stage: str) -> Path:
    return toy.run.output(stage, "val", "000")


def _walks(toy: Toy) -> Path:
    maps = []
    for record, size in zip(toy.index, SIZES, strict=True):
        keys = np.array([0, *(CLASSES.index(name) + 1 for name in record.labels)])
        array = np.zeros((len(keys) - 1, size[0] // 4, size[1] // 4), np.float32)
        array[..., 3:9, 3:10] = np.linspace(0.2, 1, 7)
        maps.append(WalkMaps(record.id, size, keys, {1.0: array}))
    write_shard(_shard(toy, "walks"), maps, digest=toy.run.digest("walks"))
    return _shard(toy, "walks")


def _labels(toy: Toy, stage: str, last: int) -> Path:
    """The images' own masks, moved a little; at their right edge stands `last`."""
    made = []
    for record in toy.index:
        assert record.mask is not None
        mask = np.roll(read_mask(record.mask), 3, axis=0)
        mask[mask == 255] = 0
        mask[:, -6:] = last
        made.append((record.id, mask))
    write_label_shard(_shard(toy, stage), made, digest=toy.run.digest(stage), palette=voc_palette())
    return _shard(toy, stage)


def _metrics(toy: Toy, shards: dict[str, list[Path]]) -> list[Path]:
    thresholds = (0.1, 0.3, 0.5, 0.7)
    found: dict[str, tuple[str, dict[str, Any]]] = {
        name: (f"{name}_metrics", evaluate_scores(shards[name], toy.index, thresholds=thresholds, kind=kind))
        for name, kind in {"cams": CAMS, "walks": WALKS}.items()
    }
    kinds = {"crf": shards["saliency_crf"]}
    scored = score_saliency(kinds, shards["cams"], toy.index, thresholds=thresholds, progress=False)
    found["saliency"] = "saliency_metrics", {"kinds": list(kinds), **scored}
    for stage, split in (("affinity_labels", "train"), ("pseudo_labels", "train"), ("masks", "val")):
        maps = open_shards(toy.step(stage), stage, LabelShard, shards[stage], toy.index)
        found[f"{stage}.{split}"] = stage, score_labels(maps, toy.index, progress=False)
    files = []
    for name, (stage, values) in found.items():
        files.append(HOME / "metrics" / f"{name}.json")
        write_json(files[-1], {"run": "toy", "digest": toy.run.digest(stage), **values})
    return files


#: elements that never end
VOID = {"meta", "link", "img", "input", "br", "wbr"}


class Page(HTMLParser):
    """What a page shows, and where it says that it comes from.

    numbers: text and attributes of what names its source as text, bars: style and attributes of what does
    so by its size; lines: of the charts; texts: all other text, with the elements around it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.numbers: list[tuple[str, dict[str, str]]] = []
        self.bars: list[tuple[float, dict[str, str]]] = []
        self.lines: list[dict[str, str]] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, list[tuple[str, dict[str, str]]]]] = []
        self._around: list[tuple[str, dict[str, str]]] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self._around, "every element ends"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        given = {name: value or "" for name, value in attrs}
        self.tags.append((tag, given))
        if tag not in VOID:
            self._around.append((tag, given))
        if "data-series" in given:
            self.lines.append(given)
        if size := re.match(r"(?:width|left):([\d.]+)%$", given.get("style", "")):
            self.bars.append((float(size[1]), given))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element that is nothing but its attributes."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        assert self._around.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        """The text of an element."""
        tag, about = self._around[-1] if self._around else ("", {})
        if tag in ("data", "tspan"):
            self.numbers.append((data.replace("\N{MINUS SIGN}", "-"), about))
        elif data.strip() and tag not in ("script", "style"):
            self.texts.append((" ".join(data.split()), list(self._around)))


def origin(about: dict[str, str]) -> float:
    """The number that an element names, from its files."""
    value = resolved(about["data-from"])
    if "data-less" in about:
        value -= resolved(about["data-less"])
    if "data-of" in about:
        value *= 100 / resolved(about["data-of"])
    return value


def resolved(source: str) -> float:
    """The number that stands in a file, at the place that a page names."""
    name, _, pointer = source.partition("#/")
    if name == "published":
        run, what = pointer.split("/")
        return FIGURES[run][what].miou if what in FIGURES[run] else PUBLISHED_CLASSES[run][what]
    value: Any
    if name.endswith(".csv"):
        key, column = pointer.split("/")
        with open(RESULTS / name, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            return float(next(row for row in reader if row[reader.fieldnames[0]] == key)[column])
    value = json.loads((RESULTS / name).read_text(encoding="utf-8"))
    for key in pointer.split("/"):
        value = value[key]
    return float(value)


def series(source: str, axis: str = "") -> list[float]:
    """The numbers of a line of a chart, as its file has them; those of `axis` where the line has any."""
    name, _, pointer = source.partition("#/")
    if name.endswith(".csv"):
        column = pointer.removeprefix("*/")
        with open(RESULTS / name, newline="", encoding="utf-8") as file:
            return [float(row[axis or column]) for row in csv.DictReader(file) if row[column]]
    before, _, key = pointer.partition("/*/")
    rows = json.loads((RESULTS / name).read_text(encoding="utf-8"))[before]
    return [row[axis or key] for row in rows]
