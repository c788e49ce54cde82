"""docs/extending.md is followed: its diffs are applied to a copy of the repository, and the result is run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from support.tiny import training
from support.workflow import (
    AUGMENTATION,
    REPOSITORY,
    TINY,
    planned,
    rows,
    snakemake,
    write_run,
)
from support.workflow import make as make_in_one_process

from wsss.data.index import Index
from wsss.store.files import write_png
from wsss.store.networks import read_header

PAGE = (REPOSITORY / "docs" / "extending.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a title of the page."""
    return re.split(r"^## ", PAGE.partition(f"## {title}\n")[2], flags=re.M)[0]


def block(title: str, language: str) -> str:
    """The one code block of a language under a title."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", section(title), re.M | re.S)
    return str(found)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a run needs of the repository."""
    root = tmp_path / "checkout"
    for name in ("wsss", "workflow", "rules", "profiles", "config"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "Snakefile", root)
    return root


def follow(checkout: Path, title: str) -> None:
    """Apply the diff of a section."""
    (checkout / "page.diff").write_text(block(title, "diff"), encoding="utf-8")
    ended = subprocess.run(
        ["git", "apply", "--recount", "page.diff"], cwd=checkout, capture_output=True, text=True
    )
    assert ended.returncode == 0, f"docs/extending.md, {title}: does not fit the code: {ended.stderr}"


def make(checkout: Path, run: str, config: dict[str, Any], *targets: str) -> None:
    """Make targets of a run there, with the code of the copy."""
    write_run(checkout, run, config)
    status, printed = snakemake(checkout, "--cores", "1", *targets, checkout=checkout)
    assert status == 0, printed


def test_a_method(checkout: Path) -> None:
    follow(checkout, "A method for the priors")
    config = {**TINY, "priors": {**TINY["priors"], "method": "sharp"}}
    make(checkout, "tiny", config, "results/tiny/models/priors.safetensors")
    header = (checkout / "results/tiny/metrics/priors_training.csv").read_text().splitlines()[0]
    assert "loss/entropy" in header.split(",")


def test_a_data_set(checkout: Path) -> None:
    follow(checkout, "A data set")
    rng = np.random.default_rng(0)
    for split, labels in (("train", "cat\ndog\n"), ("val", "dog\n")):
        picture = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        write_png(checkout / "data" / split / "one.jpg", picture)
        (checkout / "data" / split / "one.txt").write_text(labels, encoding="utf-8")
    data = {"kind": "sidecar", "root": "data", "classes": ["cat", "dog"]}
    make(checkout, "mine", {"dataset": data}, "results/mine/index/train.csv", "results/mine/index/val.csv")
    index = Index.read(checkout / "results/mine/index/train.csv")
    assert [record.labels for record in index.records] == [("cat", "dog")]


def test_a_backbone(checkout: Path) -> None:
    text = block("A backbone", "yaml")
    config = yaml.safe_load(text)
    small = {
        name: {key: value for key, value in TINY[name].items() if key != "network"}
        for name in ("oc", "priors")
    }
    make(
        checkout,
        "mine",
        {**{key: TINY[key] for key in ("dataset", "machine")}, **small, "network": config["network"]},
        "results/mine/models/oc.safetensors",
    )
    assert read_header(checkout / "results/mine/models/oc.safetensors").backbone == "mobilenetv3_small_050"


#: a short chain: the network learns from the masks of the embedded data set
SHORT = {
    "dataset": TINY["dataset"],
    "cams": {"shards": 2},
    "segmentation": {
        "labels": "ground_truth",
        "training": training(AUGMENTATION, epochs=2, batch=8),
        "masks": {"scales": [1.0], "crf": {"iterations": 0}},
    },
    "machine": {**TINY["machine"], "progress": False},
}


def test_a_stage(checkout: Path) -> None:
    """It is planned, made, and shown by `wsss status`, the table of the chain and the report."""
    follow(checkout, "A stage")
    write_run(checkout, "short", SHORT)
    report = "results/short/report.html"
    assert planned(checkout, report, checkout=checkout)["measure_brightness"] == 2

    shards = [f"results/short/brightness/train/{shard:03d}" for shard in range(2)]
    make_in_one_process(checkout, report, *shards, checkout=checkout)
    assert len(list((checkout / shards[0]).glob("*.png"))) == 12

    call = [sys.executable, "-m", "wsss.cli", "status", "short"]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    status = subprocess.run(call, cwd=checkout, env=environment, capture_output=True, text=True, timeout=60)
    line = next(line for line in status.stdout.splitlines() if line.startswith("brightness"))
    assert line.split()[1:3] == ["done", "4/4"], status.stdout + status.stderr

    assert "brightness" in {row["stage"] for row in rows(checkout / "results/short/metrics/chain.csv")}
    page = (checkout / report).read_text(encoding="utf-8")
    assert "measure_brightness" in page, "in the table of stages"
    assert 'name="stage" value="brightness"' in page and page.count('data-stage="brightness"') == 8
