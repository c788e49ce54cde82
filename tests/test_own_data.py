"""`wsss init`, and a chain on images of one's own without masks: it makes masks, and says what it cannot."""

import argparse
import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.workflow import WHOLE, make, planned, rows, snakemake, write_run

from wsss import cli
from wsss.commands import init
from wsss.config import RunConfig
from wsss.config.recipe import recipe
from wsss.data.index import Index
from wsss.data.shapes import write_shapes
from wsss.data.voc import VOC_CLASSES, voc_records
from wsss.data.voc_xml import read_annotation
from wsss.errors import UserError
from wsss.runs.run import load_run, stages
from wsss.store.files import write_png, write_text

TARGETS = (
    "results/own/val_miou.txt",
    "results/own/metrics/chain.csv",
    "results/own/report.html",
    "results/own/figures/masks.val.png",
    "results/own/figures/pseudo_labels.train.png",
)


def write_table(path: Path, labels: dict[str, tuple[str, ...]]) -> None:
    lines = [f"{name},{';'.join(found)}\n" for name, found in labels.items()]
    write_text(path, "image,labels\n" + "".join(lines))


def photographs(directory: Path, count: int = 30) -> dict[str, tuple[str, ...]]:
    """Drawn images in `photos/`, and a table of what they show."""
    write_shapes(directory / "drawn", seed=0, train=count, val=1, size=40)
    classes = tuple((directory / "drawn" / "classes.txt").read_text().split())
    (directory / "drawn" / "JPEGImages").rename(directory / "photos")
    found = {
        path.name: read_annotation(directory / "drawn" / "Annotations" / f"{path.stem}.xml", classes).labels
        for path in sorted((directory / "photos").glob("train_*.png"))
    }
    write_table(directory / "labels.csv", found)
    return found


# --- a chain without masks ---


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("own")
    photographs(directory)
    data = {"kind": "folder", "images": "photos", "labels": "labels.csv"}
    write_run(directory, "own", {**WHOLE, "dataset": data})
    make(directory, *TARGETS)
    return directory


def test_the_answer_says_that_there_can_be_none(made: Path) -> None:
    lines = (made / "results" / "own" / "val_miou.txt").read_text().splitlines()
    classes = Index.read(made / "results" / "own" / "index" / "val.csv").classes
    assert lines[: len(classes) + 2] == ["nan", "nan background", *(f"nan {name}" for name in classes)]
    assert "# none of the 6 images of val has a mask" in lines[len(classes) + 2]
    assert any("there is no mIoU" in line for line in lines) and all(
        line.startswith("#") for line in lines[-3:]
    )
    metrics = json.loads((made / "results" / "own" / "metrics" / "masks.val.json").read_text())
    assert metrics["miou"] is None and metrics["protocol"]["images_without_mask"] == 6


def test_the_page_shows_what_there_is_and_says_what_cannot_be(made: Path) -> None:
    page = (made / "results" / "own" / "report.html").read_text()
    assert "images of val has a mask. Without masks the run can't be" in page and "<title>own</title>" in page
    assert page.count('<article class="row"') == 6 and 'data-stage="final mask"' in page
    assert 'data-stage="errors"' not in page and 'id="confusion"' not in page and ">best<" not in page
    assert "best, the worst" not in page and "one of " in page


def test_every_stage_that_needs_no_masks_is_made(made: Path) -> None:
    run = load_run("own", made / "config")
    assert not {"cams_metrics", "walks_metrics", "saliency_metrics"} & set(stages(run))
    table = {row["stage"]: row for row in rows(made / "results" / "own" / "metrics" / "chain.csv")}
    assert list(table) == stages(run) and {row["miou"] for row in table.values()} == {""}
    assert table["masks"]["protocol"] == "not scored: the split has no masks"
    for record in Index.read(made / "results" / "own" / "index" / "val.csv"):
        masks = list((made / "results/own/masks/val").rglob(f"{record.id}.png"))
        with Image.open(masks[0]) as mask, Image.open(made / record.image) as image:
            assert mask.size == image.size and mask.mode == "P"
    assert planned(made, *TARGETS) == {}


def test_scores_that_need_masks_are_refused(made: Path) -> None:
    status, printed = snakemake(made, "--dry-run", "results/own/metrics/cams.json")
    assert status == 1 and "a data set without masks) has no stage 'cams_metrics'" in printed, printed


def test_nothing_can_be_learned_from_masks_that_are_not_there(made: Path) -> None:
    write_run(made, "upper", {"extends": "own", "segmentation": {"labels": "ground_truth"}})
    with pytest.raises(
        UserError, match=r"segmentation.labels = .* must be pseudo, where the data set has no"
    ):
        load_run("upper", made / "config")
    write_run(made, "upper", {"extends": "own", "dataset": {"masks": "masks"}})
    with pytest.raises(
        UserError, match=r"dataset.classes = null, its default: must be a list where there are masks"
    ):
        load_run("upper", made / "config")


# --- wsss init ---


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    photographs(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> int:
    return cli.main(["init", *arguments])


def test_a_run_is_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("photos/", "--labels", "labels.csv") == 0
    run = load_run("photos")
    said = capsys.readouterr().out
    assert "config/photos.yaml: 24 photographs to train on, 6 to look at; 4" in said
    assert "mask value 1, color #800000: " in said and "there can be no mIoU" in said
    assert "now: snakemake --cores all results/photos/val_miou.txt" in said
    assert run.config.dataset.kind == "folder" and len(run.config.dataset.classes or ()) == 6
    assert run.config.segmentation.training.selection == "last"
    text = (here / "config" / "photos.yaml").read_text()
    assert "for 24 + 6 photographs" in text and not re.search(r"[&*]\w+\d", text)
    assert planned(here, "results/photos/val_miou.txt")["train_segmentation"] == 1


def test_masks_are_scored_by_where_there_are_some(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "drawn" / "SegmentationClass").rename(here / "masks")
    classes = ",".join((here / "drawn" / "classes.txt").read_text().split())
    given = ("photos", "--labels", "labels.csv", "--masks", "masks", "--classes", classes, "--name", "scored")
    assert call(*given) == 0
    assert "masks of 24 + 6 photographs" in capsys.readouterr().out
    assert "cams_metrics" in stages(load_run("scored"))
    assert planned(here, "results/scored/metrics/chain.csv")["evaluate_cams"] == 1


def test_a_run_that_is_there_stays(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text(here / "config" / "photos.yaml", "extends: mine\n")
    assert call("photos", "--labels", "labels.csv") == 1
    assert "error: config/photos.yaml: is there already" in capsys.readouterr().err
    assert (here / "config" / "photos.yaml").read_text() == "extends: mine\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("photos", "--labels", "no.csv"), "no.csv: no such file"),
        (("nowhere", "--labels", "labels.csv"), "nowhere: no such directory"),
        (("photos", "--labels", "labels.csv", "--name", "My Run"), "run 'My Run': a run's name must be"),
        (("photos", "--labels", "labels.csv", "--val-share", "2"), "val_share"),
        (("photos", "--labels", "labels.csv", "--classes", "fox"), "unknown class"),
        (("photos", "--labels", "few.csv"), "2 training photographs; there must be 4"),
        (("photos", "--labels", "split.csv"), "no training photograph shows cow"),
        (("large", "--labels", "large.csv"), "a has a side of 2400 px"),
    ],
)
def test_mistakes_are_named(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    names = [f"train_{i:05d}" for i in range(6)]
    write_table(here / "few.csv", dict.fromkeys(names[:3], ("dog",)))
    given = [f"{name},dog,train\n" for name in names[:5]]
    write_text(here / "split.csv", f"image,labels,split\n{''.join(given)}{names[5]},cow,val\n")
    for i, side in zip("abcdef", (2400, 30, 30, 30, 30, 30), strict=True):
        write_png(here / "large" / f"{i}.png", np.zeros((20, side, 3), np.uint8))
    write_table(here / "large.csv", dict.fromkeys("abcdef", ("dog",)))
    assert call(*arguments) == 1
    printed = capsys.readouterr()
    assert said in printed.err and not printed.out and not (here / "config").exists()


@pytest.mark.parametrize("images", [4, 12, 60, 300, 3000, 20_000])
@pytest.mark.parametrize("side", [40, 128, 300, 500, 1000, 1900])
def test_settings_fit_any_number_and_size(images: int, side: int) -> None:
    data = {"kind": "folder", "images": "a", "labels": "b"}
    config = RunConfig.from_values({"dataset": data, **recipe(images, side)})
    trainings = (
        *(config.oc, config.priors, config.saliency.c2am, config.saliency.poolnet),
        *(config.affinity.training, config.segmentation.training),
    )
    for training in trainings:
        assert training.optimisation.batch <= images and training.optimisation.epochs <= 25
    assert config.priors.optimisation.epochs * images <= max(25 * images, 5 * images)
    assert max(config.cams.scales) * side <= 2 * 1000 and config.cams.shards <= max(2, images // 100)


def test_fewer_images_are_seen_more_often() -> None:
    epochs = [recipe(images, 500)["priors"]["optimisation"]["epochs"] for images in (20, 200, 2000)]
    assert epochs == sorted(epochs, reverse=True) and epochs[0] > epochs[-1]


def test_real_photographs(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = shared / "voc12-mini"
    found = [record for split in ("train", "val") for record in voc_records(root, split, VOC_CLASSES)[0]]
    write_table(tmp_path / "labels.csv", {record.image.name: record.labels for record in found})
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    init.add_arguments(parser)
    given = parser.parse_args([str(root / "JPEGImages"), "--labels", "labels.csv", "--name", "mini"])
    given.masks, given.classes = root / "SegmentationClass", ",".join(VOC_CLASSES)
    with pytest.raises(UserError, match="no training photograph shows pottedplant"):
        init.run(given)
    given.classes, given.masks = None, None
    assert init.run(given) == 0
    config = load_run("mini").config
    assert len(config.dataset.classes or ()) == 19 and config.oc.augmentation.crop == 320  # type: ignore[union-attr]
    with open(tmp_path / "labels.csv", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 42
