"""What a run says of itself: its mIoU in one file, and a line per stage with protocol, time and memory."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from wsss.errors import UserError
from wsss.report.chain import write_chain, write_miou
from wsss.report.published import CLASSES, FIGURES, figure_of
from wsss.runs.run import Run, chain, load_run
from wsss.runs.stages import STAGES
from wsss.store.files import write_json, write_text

BASE: dict[str, Any] = {"dataset": {"kind": "shapes"}}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run_of(name: str, config: dict[str, Any]) -> Run:
    """A run of this name."""
    write_text(Path("config", f"{name}.yaml"), json.dumps(config))
    return load_run(name)


def metrics(**files: dict[str, Any]) -> list[Path]:
    """Metrics files by what they score; `__` stands for a dot."""
    paths = []
    for name, value in files.items():
        paths.append(Path("metrics", f"{name.replace('__', '.')}.json"))
        write_json(paths[-1], value)
    return paths


def rows(path: Path) -> dict[str, dict[str, str]]:
    """The table's rows by stage, in order."""
    with open(path, newline="", encoding="utf-8") as file:
        return {row["stage"]: row for row in csv.DictReader(file)}


def test_the_first_line_is_the_miou_and_each_class_has_one(tmp_path: Path) -> None:
    iou = {"background": 91.456, "cat": 40.0, "dog": None}
    write_miou(tmp_path / "val_miou.txt", {"miou": 65.728, "iou": iou})
    text = (tmp_path / "val_miou.txt").read_text()
    assert text == "65.73\n91.46 background\n40.00 cat\nnan dog\n"


def test_published_figures_are_of_stages_that_make_something() -> None:
    made = {name for name, stage in STAGES.items() if stage.kind != "scores"}
    assert all(set(figures) <= made for figures in FIGURES.values())


def test_a_line_per_stage(tmp_path: Path) -> None:
    run = run_of("voc12", {"dataset": {"kind": "voc", "root": "d"}})
    of_train = {"split": "train_aug"}
    files = metrics(
        cams={"miou": 60.126, "threshold": 0.3, "protocol": of_train},
        saliency={
            "kinds": ["c2am", "crf", "poolnet"],
            "protocol": of_train,
            **{kind: {"miou": 70.0, "threshold": 0.25} for kind in ("c2am", "crf", "poolnet")},
        },
        affinity_labels__train_aug={"miou": 80.0, "coverage": 61.25, "protocol": of_train},
        walks={"miou": 65.0, "threshold": 0.2, "protocol": of_train},
        pseudo_labels__train_aug={"miou": 68.0, "coverage": 100.0, "protocol": of_train},
        masks__val={"miou": 67.0, "coverage": 100.0, "protocol": {"split": "val"}},
    )
    header = "s\tcpu_time\tmax_rss"
    for name, line in {
        "make_cams.train_aug.000": "10.5\t9\t800",
        "make_cams.val.001": "4.5\t4\t900",
        "train_segmentation": "3600\t7000\t12000",
    }.items():
        write_text(Path("results", "voc12", "benchmarks", f"{name}.tsv"), f"{header}\n{line}\n")
    write_chain(tmp_path / "chain.csv", run, files)
    found = rows(tmp_path / "chain.csv")
    assert list(found) == chain(run)
    cams, masks = found["cams"], found["masks"]
    assert (cams["miou"], cams["split"], cams["published"]) == ("60.13", "train_aug", "63.7")
    assert cams["protocol"] == "oracle: best threshold on these masks, 0.30"
    assert (cams["jobs"], cams["seconds"], cams["peak_mb"]) == ("2", "15", "900")
    assert (masks["miou"], masks["split"], masks["protocol"]) == ("67.00", "val", "fixed")
    assert masks["published"] == "73.8" and "split not stated" in masks["published_as"]
    assert found["affinity_labels"]["protocol"] == "fixed; the 61.2 % of the pixels that have a label"
    assert found["pseudo_labels"]["published"] == "75.5" and found["walks"]["published"] == ""
    assert found["saliency"]["miou"] == "70.00" and "object or not" in found["saliency"]["protocol"]
    assert found["segmentation"]["miou"] == "" and found["segmentation"]["seconds"] == "3600"
    assert found["oc"]["jobs"] == "0", "made elsewhere, or long ago"


def test_a_child_tells_whose_a_stage_and_its_published_figure_are(tmp_path: Path) -> None:
    run_of("voc12", {"dataset": {"kind": "voc", "root": "d"}})
    child = run_of("voc12-other", {"extends": "voc12", "segmentation": {"pseudo": {"threshold": 0.2}}})
    write_text(Path("results", "voc12", "benchmarks", "train_oc.tsv"), "s\tcpu_time\tmax_rss\n7\t7\t1\n")
    files = metrics(cams={"miou": 60.0, "threshold": 0.3, "protocol": {"split": "train_aug"}})
    write_chain(tmp_path / "chain.csv", child, files)
    found = rows(tmp_path / "chain.csv")
    assert (found["oc"]["run"], found["oc"]["seconds"]) == ("voc12", "7")
    assert found["pseudo_labels"]["run"] == "voc12-other"
    assert found["cams"]["published"] == "63.7" and found["saliency"]["published"] == "70.8"
    assert {found[stage]["published"] for stage in ("pseudo_labels", "segmentation", "masks")} == {""}


def test_published_figures_are_of_shipped_runs_and_their_own_stages(repository: Path) -> None:
    for name, figures in FIGURES.items():
        run = load_run(name, repository / "config")
        assert all(run.owner(stage).name == name and figure_of(run, stage) for stage in figures)
    assert "voc12-2024" in FIGURES["voc12"]["masks"].note, "which trained the network that the figure is of"
    means = {name: sum(values.values()) / len(values) for name, values in CLASSES.items()}
    assert means == pytest.approx(dict.fromkeys(("voc12", "voc12-2024"), 73.47), abs=0.005)


def test_the_upper_bound_has_three_lines(tmp_path: Path) -> None:
    run = run_of("upper", {**BASE, "segmentation": {"labels": "ground_truth"}})
    files = metrics(masks__val={"miou": 80.0, "coverage": 100.0, "protocol": {"split": "val"}})
    write_chain(tmp_path / "chain.csv", run, files)
    assert list(rows(tmp_path / "chain.csv")) == ["index", "segmentation", "masks"]


def test_metrics_of_what_is_not_known_are_refused(tmp_path: Path) -> None:
    run = run_of("shapes", BASE)
    with pytest.raises(
        UserError, match=r"other\.json: no metrics file of run shapes; it has cams\.json, saliency"
    ):
        write_chain(tmp_path / "chain.csv", run, metrics(other={}))
