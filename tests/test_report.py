"""The page of a run: every picture is told in words, all is in one file, and what it shows is well chosen."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.chain import Toy
from support.report import HOME, Page, report_files, report_page, write_report

from wsss.errors import UserError
from wsss.figures.charts import Chart, Line, short, ticks
from wsss.figures.numbers import Number
from wsss.report import pictures
from wsss.report.chain import protocol_of
from wsss.report.choose import choose_images
from wsss.report.provenance import comments_of, protocols_of, seeds_of, settings_of
from wsss.report.scores import score_images
from wsss.runs.run import load_run
from wsss.store.files import read_json, write_json, write_text


@pytest.fixture
def page(toy: Toy) -> Page:
    return Page(report_page(toy))


def test_it_is_one_file_that_asks_for_nothing(page: Page) -> None:
    text = (HOME / "report.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)
    assert not re.search(r"@import|https?://|url\((?!data:)", text)
    assert "prefers-color-scheme:dark" in text and "@media print" in text
    assert not re.search(r"\{\{|\{%|Undefined", text)


def test_every_picture_is_told_in_words(page: Page) -> None:
    buttons = [about for tag, about in page.tags if tag == "button" and "picture" in about.get("class", "")]
    assert len(buttons) >= 6 * 8
    assert all(about["aria-label"] for about in buttons)
    told = [about["aria-label"] for about in buttons]
    assert any("open or ignored" in words for words in told)
    assert all("alt" in about for tag, about in page.tags if tag == "img")
    assert all(about.get("aria-label") for tag, about in page.tags if about.get("role") == "img")


def test_masks_of_another_making_are_refused(toy: Toy) -> None:
    files = report_files(toy)
    path = next(path for path in files["metrics"] if path.name.startswith("masks"))
    found = read_json(path)
    write_json(path, found | {"miou": 12.0})
    with pytest.raises(
        UserError,
        match=r"the metrics say 12\.00 %.*Score these again: .*--force results/toy/metrics/masks.train.json",
    ):
        write_report(toy, files)
    write_json(path, found | {"digest": "0" * 12})
    with pytest.raises(UserError, match=r"masks\.val\.json: made from another configuration"):
        write_report(toy, files)
    assert not (HOME / "report.html").exists()


def test_images_without_masks_have_no_scores(toy: Toy) -> None:
    bare = replace(toy.index, records=tuple(replace(record, mask=None) for record in toy.index))
    assert score_images({}, bare, {"miou": None}, progress=False)["images"] == {}
    labels = {record.id: record.labels for record in bare}
    chosen = choose_images({}, labels, count=4)
    of_each = [why.removeprefix("one of ") for why in chosen.values() if why != "drawn"]
    assert len(chosen) == 4 and len(set(of_each)) == len(of_each)
    assert all(name in labels[image] for image, name in zip(chosen, of_each, strict=False))


def test_an_upper_bound_has_a_page_of_little(toy: Toy) -> None:
    files = report_files(toy)
    config = json.loads(Path("config/toy.yaml").read_text())
    config["segmentation"]["labels"] = "ground_truth"
    write_text("config/toy.yaml", json.dumps(config))
    toy.run = load_run("toy")
    masks = next(path for path in files["metrics"] if path.name.startswith("masks"))
    none: dict[str, list[Path]] = {"maps": []}
    write_json(masks, read_json(masks) | {"digest": toy.run.digest("masks")})
    shard = files["masks"][0] / "shard.json"
    write_json(shard, json.loads(shard.read_text()) | {"digest": toy.run.digest("masks")})
    little = {**files, "metrics": [masks], "trainings": files["trainings"][1:], **none}
    write_report(toy, little)
    text = (HOME / "report.html").read_text()
    assert "This run is" in text and "trained on the data set's masks" in text.replace("\n", " ").replace(
        "    ", ""
    )
    assert 'id="thresholds"' not in text


# --- its parts ---


def scores(count: int) -> tuple[dict, dict]:
    names = ("cat", "dog")
    images = {
        f"i{n:02d}": {"miou": float(n), "iou": {"background": 50.0, names[n % 2]: float(n)}}
        for n in range(count)
    }
    return images, {image: (names[n % 2],) for n, image in enumerate(images)}


def test_the_chosen_images_are_best_worst_median_typical_and_drawn() -> None:
    images, labels = scores(100)
    chosen = choose_images(images, labels)
    assert len(chosen) == 40
    by_why = {why: [image for image, given in chosen.items() if given == why] for why in chosen.values()}
    assert by_why["best"] == ["i99", "i98", "i97", "i96", "i95", "i94"]
    assert by_why["worst"] == ["i00", "i01", "i02", "i03", "i04", "i05"]
    assert len(by_why["median"]) == 6 and {"i49", "i50"} <= set(by_why["median"])
    assert set(by_why) == {"best", "worst", "median", "one of cat", "one of dog", "drawn"}
    assert len(by_why["drawn"]) == 20
    assert choose_images(images, labels) == chosen
    assert choose_images(images, labels, seed=1) != chosen


def test_few_images_are_all_shown() -> None:
    images, labels = scores(5)
    assert set(choose_images(images, labels)) == set(images)
    assert choose_images({}, {}) == {}


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 57.2, [0, 20, 40, 60]),
        (0, 0.0029, [0, 0.001, 0.002, 0.003]),
        (0, 10304, [0, 2500, 5000, 7500, 10000, 12500]),
        (0, 0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
    ],
)
def test_ticks(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_a_chart_has_its_points_within_it() -> None:
    chart = Chart("t", "x", "y", [Line("a", [0.1, 0.5, 0.9], [3.0, float("nan"), 7.0])])
    numbers = [float(value) for value in re.findall(r"[\d.]+", chart.path(chart.lines[0]))]
    assert numbers[0] == 44 and numbers[2] == 332 and numbers[1] > numbers[3] > 0
    assert [short(value) for value in (0, 12500, 0.0003, 0.25)] == ["0", "12.5k", "3e-4", "0.25"]


def test_errors_are_counted_by_kind() -> None:
    mask = np.array([[0, 0, 1, 1], [1, 2, 255, 0]], np.uint8)
    prediction = np.array([[0, 1, 1, 0], [2, 2, 1, 0]], np.uint8)
    uri, shares = pictures.errors(prediction, mask)
    assert uri.startswith("data:image/png;base64,")
    assert shares == {"missed": 12.5, "too much": 12.5, "wrong class": 12.5, "ignored": 12.5}


def test_pictures_are_small() -> None:
    rng = np.random.default_rng(0)
    smooth = np.outer(np.hanning(375), np.hanning(500))
    labels = (smooth * 3).astype(np.uint8)
    assert len(pictures.labels(labels)) < 6000
    assert len(pictures.score(smooth)) < 16000
    assert len(pictures.scores_of_classes(np.stack([smooth, 1 - smooth]), np.array([0, 3, 7]))) < 24000
    noise = rng.integers(0, 256, (375, 500, 3), dtype=np.uint8)
    assert len(pictures.photograph(noise)) < 120_000


def test_numbers_say_where_they_are_from() -> None:
    one, other = Number(52.345, "r/a.json#/miou", 2), Number(54.0, 'r/"b".json#/miou', 2)
    assert 'data-from="r/a.json#/miou"' in one.__html__() and ">52.34<" in one.__html__() + ">52.34<"
    html = one.minus(other).__html__()
    assert ">\N{MINUS SIGN}1.66<" in html or ">\N{MINUS SIGN}1.65<" in html
    assert "&#34;b&#34;" in html, "names are escaped"
    part = one.part_of(other)
    assert (part.text, part.shown) == ("97", pytest.approx(100 * 52.345 / 54))
    assert 'data-of="r/&#34;b&#34;.json#/miou"' in part.__html__()
    assert one.part_of(Number(0.0, "x")).shown is None
    assert "–" in Number(float("nan"), "x").__html__() and "–" in Number(None, "x").minus(one).__html__()


def test_a_page_says_what_the_files_of_its_run_say(toy: Toy) -> None:
    assert comments_of(toy.run) == {}
    write_text(
        "config/child.yaml",
        "# yaml-language-server: $schema=x\n# Its `lr` was chosen\n# on masks.\nextends: toy\n# no\n",
    )
    assert comments_of(load_run("child")) == {"child": "Its `lr` was chosen on masks."}


def test_settings_are_what_differs_from_the_defaults(toy: Toy) -> None:
    settings = {item.key: item for item in settings_of(toy.run)}
    assert settings["affinity.training.optimisation.batch"].value == "2"
    assert settings["cams.shards"].value == "1" and settings["cams.shards"].default == "16"
    assert "files" in settings["cams.shards"].meaning
    assert "oc.optimisation.lr" not in settings
    assert seeds_of(toy.run)["segmentation.training.optimisation.seed"] == 0


def test_the_page_says_what_was_chosen_with_which_annotations(toy: Toy) -> None:
    """The epoch of the segmentation network counts as chosen, too; saliency masks have no threshold."""
    for labels, by in (("pseudo", "image-level labels"), ("ground_truth", "masks")):
        chosen = {"labels": labels, "training": {"selection": "best"}}
        write_text("config/child.yaml", json.dumps({"extends": "toy", "segmentation": chosen}))
        (protocol,) = protocols_of(load_run("child"), {})
        assert protocol.by == by and protocol.chosen.startswith("the epoch")
    assert "oracle" not in protocol_of("saliency_crf", {"miou": 70.0, "threshold": 0.5})
    assert "oracle" in protocol_of("c2am_maps", {"miou": 70.0, "threshold": 0.5})
