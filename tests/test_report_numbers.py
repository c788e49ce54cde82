"""Every number of a run's page is that of a file: the walk leaves out none of them."""

import csv
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.chain import Toy
from support.images import CLASSES
from support.report import RESULTS, Page, origin, report_files, report_page, resolved, series

from wsss.data.palette import read_mask
from wsss.figures.numbers import Source
from wsss.progress import duration
from wsss.report.curves import threshold_charts
from wsss.report.results import read_results
from wsss.store.label_maps import LabelShard


@pytest.fixture
def page(toy: Toy) -> Page:
    return Page(report_page(toy))


def test_every_number_is_that_of_its_file(page: Page) -> None:
    assert len(page.numbers) > 60
    for shown, about in page.numbers:
        value = origin(about)
        assert float(about.get("value", value)) == pytest.approx(value, abs=1e-9), about
        if about["data-from"].endswith("/seconds"):
            assert shown == duration(value)
        else:
            digits = len(shown.partition(".")[2])
            assert float(shown) == pytest.approx(value, abs=0.5000001 * 10**-digits), about


def test_every_bar_and_tick_is_as_long_as_its_number(page: Page) -> None:
    drawn = [(size, about) for size, about in page.bars if "data-from" in about]
    assert len(drawn) >= 3 * 6 + 4
    for size, about in drawn:
        assert size == pytest.approx(origin(about), abs=0.0051), about
    parts = iter([origin(about) for _, about in drawn if about.get("class") in ("inside", "over", "under")])
    for _, about in page.tags:
        if about.get("class") == "stack" and "aria-label" in about:
            told = [float(number) for number in re.findall(r"[\d.]+", about["aria-label"])]
            assert told == pytest.approx([next(parts) for _ in range(3)], abs=0.0501)


def test_no_number_comes_from_nowhere(toy: Toy, page: Page) -> None:
    """What names no place in a file is a word of one, a setting, the tick of an axis or a class's name."""
    words = set(_words())
    left = []
    for text, around in page.texts:
        tags = {tag for tag, _ in around}
        kinds = {about.get("class", "") for _, about in around} | {about.get("id") for _, about in around}
        axis = "text" in tags and "words" not in kinds
        named = "swatch" in kinds or {"b", "button"} <= tags or ("row" in kinds and "h3" in tags)
        elsewhere = tags & {"code", "h1"} or kinds & {"settings", "origin", "device"}
        told = text.removeprefix("the threshold: ").removeprefix("train: ").removeprefix("val: ") in words
        if re.search(r"(?<![A-Za-z])\d", text) and not (axis or named or elsewhere or told):
            left.append(text)
    rows = sum(about.get("class") == "row" for _, about in page.tags)
    final = resolved("toy/metrics/masks.val.json#/miou")
    assert left[0] == f"toy: {final:.2f} % mIoU"
    assert len(left) == 3 and "in percent; rows add up to 100." in left[1]
    assert left[2].startswith(f"{rows} images of train: the best, the worst")


def test_every_metric_is_on_the_page(page: Page) -> None:
    sources = {about["data-from"] for _, about in page.numbers}
    for name in (
        "cams.json",
        "walks.json",
        "affinity_labels.train.json",
        "pseudo_labels.train.json",
        "masks.val.json",
    ):
        for key in ("miou", "foreground_miou", "fp_rate", "fn_rate"):
            assert f"toy/metrics/{name}#/{key}" in sources
    assert "toy/metrics/saliency.json#/crf/miou" in sources
    names = ("background", *CLASSES)
    for file in ("cams.json", "walks.json", "pseudo_labels.train.json", "masks.val.json"):
        assert {f"toy/metrics/{file}#/iou/{name}" for name in names} <= sources
    assert {f"toy/metrics/images.json#/confusion/{a}/{b}" for a in names for b in names} <= sources
    assert {f"toy/metrics/images.json#/images/id{n}/miou" for n in range(6)} <= sources
    for name in ("cams", "walks"):
        assert {f"toy/metrics/{name}.json#/threshold", f"toy/metrics/{name}.json#/miou"} <= sources


def test_every_line_of_a_chart_is_that_of_its_file(page: Page) -> None:
    named = [line for line in page.lines if line["data-series"]]
    assert len(named) >= 3 + 3 + 1 + 2 * 3
    for line in named:
        axis = "epoch" if ".csv#" in line["data-series"] else "threshold"
        for values, found in (
            ("data-x", series(line["data-series"], axis)),
            ("data-y", series(line["data-series"])),
        ):
            assert [float(value) for value in line[values].split()] == pytest.approx(found, rel=1e-5)


def test_weights_of_losses_are_those_of_the_configuration(toy: Toy, page: Page) -> None:
    drawn = {line["data-name"]: line["data-y"].split() for line in page.lines if not line["data-series"]}
    section = toy.run.config.priors
    parts = {"reconstruction": section.puzzle, "erasing": section.erasing, "noc": section.noc}
    assert set(drawn) == set(parts)
    for name, part in parts.items():
        ends = [float(drawn[name][0]), float(drawn[name][-1])]
        assert ends == pytest.approx([part.weight_from, part.weight])


def test_the_chosen_points_are_on_their_curves(toy: Toy) -> None:
    files = report_files(toy)
    measured = (files["metrics"], files["chain"], files["trainings"])
    results = read_results(toy.run, *measured, Source("i", {}))
    charts = threshold_charts(results)
    assert len(charts) == 3
    for chart in charts:
        assert sum(mark.named for mark in chart.marks) == 1
        for mark in chart.marks:
            best = [line for line in chart.lines if mark.y.value in line.y]
            assert any(line.x[list(line.y).index(mark.y.value)] == mark.x.value for line in best)
            assert (mark.x.value, mark.y.value) == (resolved(mark.x.source), resolved(mark.y.source))


def test_what_pictures_are_told_to_show_is_there(toy: Toy, page: Page) -> None:
    told = {about["aria-label"] for tag, about in page.tags if tag == "button" and "aria-label" in about}
    masks = LabelShard(toy.run.output("masks", "val", "000"))
    for record in toy.index:
        assert record.mask is not None
        mask, final = read_mask(record.mask), masks[record.id]
        for heading, values in (("mask (annotated)", mask), ("final mask", final)):
            assert f"{heading} of {record.id}: {_shares(values)}" in told
        seen = mask != 255
        kinds = {
            "missed": seen & (mask > 0) & (final == 0),
            "too much": seen & (mask == 0) & (final > 0),
            "wrong class": seen & (mask > 0) & (final > 0) & (mask != final),
            "ignored": ~seen,
        }
        shares = ", ".join(f"{name} {100 * where.mean():.0f} %" for name, where in kinds.items())
        assert f"errors of the final mask of {record.id}: {shares}" in told


def _shares(values: np.ndarray) -> str:
    names = {0: "background", **dict(enumerate(CLASSES, 1)), 255: "open or ignored"}
    found = {name: float((values == value).mean()) for value, name in names.items()}
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in found.items() if share)


def _words() -> Iterator[str]:
    """All texts that stand in the metrics files of the run."""
    for path in (RESULTS / "toy" / "metrics").iterdir():
        if path.suffix == ".json":
            yield from _texts(json.loads(path.read_text(encoding="utf-8")))
        else:
            with open(path, newline="", encoding="utf-8") as file:
                yield from (cell.replace("oracle: ", "") for row in csv.reader(file) for cell in row)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        yield ", ".join(map(str, value))
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
    else:
        yield str(value)
