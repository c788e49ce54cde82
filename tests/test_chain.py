"""A whole chain, from a drawn data set to the mIoU of its masks, by the commands of its rules.

Snakemake says what they are and in which order; they are run in one process, because a process of its own for
each would be busy with its imports.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.report import Page, origin
from support.workflow import REPOSITORY, WHOLE, make, rows, write_run

from wsss.data.index import Index
from wsss.data.palette import voc_palette
from wsss.runs.run import load_run, stages
from wsss.store.label_maps import LabelShard
from wsss.store.walks import WalkShard

FIGURES = ("affinity_labels.train", "walks", "pseudo_labels.train", "masks.val", "segmentation_training")
TARGETS = (
    *(
        "results/whole/val_miou.txt",
        "results/whole/metrics/chain.csv",
        "results/whole/metrics/masks.train.json",
        "results/whole/report.html",
    ),
    *(f"results/whole/figures/{name}.png" for name in FIGURES),
)
UPPER = ("results/upper/val_miou.txt", "results/upper/metrics/chain.csv", "results/upper/report.html")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a whole chain, and its upper bound."""
    directory = tmp_path_factory.mktemp("chain")
    write_run(directory, "whole", WHOLE)
    write_run(directory, "upper", {"extends": "whole", "segmentation": {"labels": "ground_truth"}})
    make(directory, *TARGETS)
    make(directory, *UPPER)
    return directory


def test_the_miou_stands_in_the_first_line(made: Path) -> None:
    first, *others = (made / "results" / "whole" / "val_miou.txt").read_text().splitlines()
    metrics = json.loads((made / "results" / "whole" / "metrics" / "masks.val.json").read_text())
    assert re.fullmatch(r"\d+\.\d\d", first) and float(first) == pytest.approx(metrics["miou"], abs=0.005)
    classes = Index.read(made / "results" / "whole" / "index" / "val.csv").classes
    assert [line.split(" ", 1)[1] for line in others] == ["background", *classes]
    assert metrics["protocol"]["images"] == 8 and metrics["coverage"] == 100


def test_every_stage_has_a_line(made: Path) -> None:
    run = load_run("whole", made / "config")
    table = {row["stage"]: row for row in rows(made / "results" / "whole" / "metrics" / "chain.csv")}
    assert list(table) == [stage for stage in stages(run) if not stage.endswith("_metrics")]
    scored = {stage for stage, row in table.items() if row["miou"]}
    assert scored == {
        *("cams", "c2am_maps", "saliency_crf", "affinity_labels", "walks", "pseudo_labels", "masks")
    }
    upper = rows(made / "results" / "upper" / "metrics" / "chain.csv")
    assert [row["stage"] for row in upper] == ["index", "segmentation", "masks"]
    assert upper[0]["run"] == "whole", "the upper bound shares the data"


def test_the_page_has_the_numbers_of_the_files(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    for name, least in (("whole", 110), ("upper", 60)):
        path = Path("results", name, "report.html")
        page = Page(path)
        assert len(page.numbers) > least
        for _, about in page.numbers:
            value = origin(about)
            assert float(about.get("value", value)) == pytest.approx(value, abs=1e-9)
        assert {picture.get("data-stage") for tag, picture in page.tags if tag == "figure"} >= {
            *("photograph", "mask", "final mask", "errors"),
            *(("CAM", "saliency", "affinity label", "walk", "pseudo label") if name == "whole" else ()),
        }
        assert path.stat().st_size < 8e6


@pytest.mark.parametrize("stage", ["affinity_labels", "pseudo_labels", "masks"])
def test_every_image_has_its_label_map(made: Path, stage: str) -> None:
    run = load_run("whole", made / "config")
    index = Index.read(made / "results" / "whole" / "index" / "train.csv")
    for shard in range(2):
        maps = LabelShard(made / "results" / "whole" / stage / "train" / f"{shard:03d}")
        part = index.shard(shard, 2)
        assert maps.ids == tuple(record.id for record in part) and maps.digest == run.digest(stage)
        for record in part:
            with Image.open(made / record.image) as image, Image.open(maps.path(record.id)) as label:
                assert label.size == image.size and label.mode == "P"
                assert label.getpalette() == voc_palette().ravel().tolist()
                allowed = {0, *range(1, 1 + len(index.classes)), 255}
                assert set(np.unique(np.asarray(label)).tolist()) <= allowed


def test_walks_are_kept_at_a_quarter_of_the_resolution(made: Path) -> None:
    for split in ("train", "val"):
        maps = WalkShard(made / "results" / "whole" / "walks" / split / "000.safetensors")
        for walk in maps:
            assert walk.scales[1.0].shape[1:] == tuple(-(-side // 4) for side in walk.size)
            assert np.isfinite(walk.scales[1.0]).all() and (walk.scales[1.0] >= 0).all()


def test_the_epoch_was_chosen_on_pseudo_labels_of_val(made: Path) -> None:
    for run in ("whole", "upper"):
        course = rows(made / "results" / run / "metrics" / "segmentation_training.csv")
        assert [row["epoch"] for row in course if row["val/miou"]] == ["1", "2"]
    log = (made / "results" / "whole" / "logs" / "train_segmentation.log").read_text()
    assert "epoch 2: val/miou" in log and "best so far" in log


def test_pictures_are_drawn(made: Path) -> None:
    for name in (*FIGURES, "walks_threshold"):
        with Image.open(made / "results" / "whole" / "figures" / f"{name}.png") as picture:
            assert min(picture.size) > 100


def test_nothing_is_left_half_written(made: Path) -> None:
    assert not [path for path in (made / "results").rglob("*") if ".part" in path.name]
    assert not list((made / "results").glob("*/checkpoints/*/step-*"))


def test_a_shard_that_is_missing_stops_what_reads_it(made: Path, tmp_path: Path) -> None:
    """By name, and not with fewer images."""
    shutil.copytree(made / "config", tmp_path / "config")
    shutil.copytree(made / "results", tmp_path / "results", symlinks=True)
    run = load_run("whole", tmp_path / "config")
    call = [
        *("--run", "whole", "--config", run.section("masks"), "--labels", "masks"),
        *("--index", "results/whole/index/train.csv", "--maps", "results/whole/masks/train/000"),
        *("--out", "again.json", "--images", "again.csv"),
    ]
    ended = subprocess.run(
        [sys.executable, "-m", "workflow.scripts.evaluate_labels", *call],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert "masks: 12 images are in none of the 1 shards given: train_00001" in ended.stderr
    assert not (tmp_path / "again.json").exists()
