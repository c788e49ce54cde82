"""Runs side by side: the scores of every stage and class, and the settings in which they differ."""

import csv
import json
from pathlib import Path

import pytest
from support.chain import Toy
from support.report import HOME, Page, report_files, resolved

from wsss import cli
from wsss.errors import UserError
from wsss.report.compare import measure, setting_differences
from wsss.runs.run import Run, load_run
from wsss.store.files import read_json, write_json, write_text


@pytest.fixture
def runs(toy: Toy) -> tuple[Run, Run]:
    """`toy`, and `other`, whose masks have another CRF and are worse by ten."""
    report_files(toy)
    crf = {"crf": {"iterations": 3}}
    config = {"extends": "toy", "segmentation": {"masks": crf}, "machine": {"threads": 3}}
    write_text(Path("config/other.yaml"), json.dumps(config))
    other = load_run("other")
    values = read_json(HOME / "metrics" / "masks.val.json")
    worse = {name: iou - 10 for name, iou in values["iou"].items()}
    values |= {"miou": values["miou"] - 10, "iou": worse, "digest": other.digest("masks")}
    write_json("results/other/metrics/masks.val.json", values)
    return toy.run, other


def test_the_table_has_every_score_and_difference(
    runs: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compare", "toy", "other", "--out", "a/b.c"]) == 0
    with open("a/b.c.csv", newline="", encoding="utf-8") as file:
        rows = {(row["stage"], row["name"]): row for row in csv.DictReader(file)}
    masks = rows["masks", "mIoU"]
    assert float(masks["other - toy"]) == pytest.approx(-10)
    assert float(masks["toy"]) == pytest.approx(
        read_json(HOME / "metrics" / "masks.val.json")["miou"], abs=1e-4
    )
    assert rows["cams", "FP"]["toy"] == rows["cams", "FP"]["other"] != ""
    assert float(rows["masks", "background"]["other - toy"]) == pytest.approx(-10)
    setting = rows["", "segmentation.masks.crf.iterations"]
    assert (setting["kind"], setting["toy"], setting["other"]) == ("setting", "1", "3")
    said = capsys.readouterr().out
    assert (
        "segmentation.masks.crf.iterations: 1 | 3" in said and "a/b.c.html" in said and "CRF saliency" in said
    )


def test_the_pages_numbers_are_those_of_the_files(runs: tuple[Run, Run]) -> None:
    cli.main(["compare", "toy", "other"])
    page = Page(Path("results/compare/toy+other.html"))
    assert len(page.numbers) > 40
    for _, about in page.numbers:
        less = resolved(about["data-less"]) if "data-less" in about else 0.0
        assert float(about["value"]) == pytest.approx(resolved(about["data-from"]) - less, abs=1e-9)
    assert "segmentation.masks.crf.iterations" in Path("results/compare/toy+other.html").read_text()
    assert len(page.bars) > 30
    for size, about in page.bars:
        assert size == pytest.approx(resolved(about["data-from"]), abs=0.0051)
    drawn = [about["class"] for _, about in page.bars if about["data-from"] == "toy/metrics/cams.json#/iou/a"]
    assert drawn == ["k0", "k1"], "each run has its color where they share a file, too"


def test_what_is_not_made_is_no_number(runs: tuple[Run, Run]) -> None:
    _, other = runs
    Path("results/other/metrics/masks.val.json").unlink()
    assert measure(other).number("masks", "miou") is None
    assert measure(other).number("cams", "miou") is not None, "which is its parent's"
    cli.main(["compare", "toy", "other"])
    assert "no such stage, or not made yet" in Path("results/compare/toy+other.html").read_text()


def test_keys_that_a_run_does_not_read_say_so(runs: tuple[Run, Run]) -> None:
    config = {"extends": "toy", "priors": {"noc": {"threshold": 0.4}}}
    write_text(Path("config/more.yaml"), json.dumps(config))
    write_text(Path("config/plain.yaml"), json.dumps({"extends": "more", "priors": {"method": "vanilla"}}))
    found = {item.key: item.values for item in setting_differences([load_run("more"), load_run("plain")])}
    assert found == {"priors.method": ['"pnoc"', '"vanilla"'], "priors.noc.threshold": ["0.4", "not read"]}


def test_mistakes_say_what_to_do(runs: tuple[Run, Run], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "toy", "toy"]) == 1
    assert "name at least two different runs" in capsys.readouterr().err
    write_text(Path("config/bare.yaml"), json.dumps({"dataset": {"kind": "shapes"}}))
    with pytest.raises(
        UserError,
        match=r"run bare: it has no metrics of .*snakemake --cores all results/bare/val_miou",
    ):
        measure(load_run("bare"))
