"""Whole runs, as users start them: minutes each, so `make test-slow` runs them and `make test` does not."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).parent / "configs"


def snakemake(directory: Path, *arguments: str) -> float:
    """Run the workflow in a directory of its own; seconds it took. Fails with its output."""
    repository = Path(__file__).parent.parent
    began = time.monotonic()
    command = [sys.executable, "-m", "snakemake", "-s", str(repository / "Snakefile"), "-d", str(directory)]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*command, "--cores", "all", *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    (directory / "printed").write_text(done.stdout + done.stderr)
    return time.monotonic() - began


def metrics(directory: Path, run: str, name: str = "cams") -> dict:
    return json.loads((directory / "results" / run / "metrics" / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def shapes(tmp_path_factory, repository) -> dict[str, float]:
    """CAM mIoU in percent of P-NOC and of vanilla on `shapes`, the seconds up to P-NOC's CAMs; the mIoU of
    each kind of saliency, and the seconds from the CAMs to it.
    """
    directory = tmp_path_factory.mktemp("shapes")
    shutil.copytree(repository / "config", directory / "config")
    seconds = snakemake(directory, "results/shapes/metrics/cams.json")
    to_saliency = snakemake(directory, "results/shapes/metrics/saliency.json")
    snakemake(directory, "results/shapes-vanilla/metrics/cams.json")
    saliency = metrics(directory, "shapes", "saliency")
    found = {
        "pnoc": metrics(directory, "shapes")["miou"],
        "vanilla": metrics(directory, "shapes-vanilla")["miou"],
        "seconds": seconds,
        **{kind: saliency[kind]["miou"] for kind in saliency["kinds"]},
        "seconds to saliency": to_saliency,
    }
    print(f"\nshapes: {found}")
    return found


def test_shapes_is_made_in_six_minutes_and_hard_for_plain_cams(shapes):
    assert 35 < shapes["vanilla"] < 55
    assert shapes["seconds"] < 360


def test_pnoc_beats_vanilla_on_shapes_by_three_points(shapes):
    assert shapes["pnoc"] >= shapes["vanilla"] + 3


def test_the_crf_adds_to_the_saliency_on_shapes(shapes):
    assert shapes["c2am"] < shapes["crf"]


def test_saliency_on_shapes_takes_four_minutes(shapes):
    assert shapes["seconds to saliency"] < 240


def test_poolnet_adds_to_the_crf_on_shapes(shapes):
    assert shapes["crf"] <= shapes["poolnet"]


def test_pnoc_on_real_images_reaches_thirty_percent(tmp_path, shared):
    shutil.copytree(CONFIGS, tmp_path / "config")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "voc12-mini").symlink_to(shared / "voc12-mini")
    seconds = snakemake(
        tmp_path, "results/voc12-mini/metrics/cams.json", "results/voc12-mini/figures/cams.png"
    )
    snakemake(tmp_path, "results/voc12-mini-vanilla/metrics/cams.json")
    pnoc, oc = metrics(tmp_path, "voc12-mini"), metrics(tmp_path, "voc12-mini-vanilla")
    print(f"\nvoc12-mini: P-NOC {pnoc['miou']:.2f} %, OC {oc['miou']:.2f} %, {seconds:.0f} s")
    occurring = [name for name, iou in pnoc["iou"].items() if iou is not None]
    assert len(occurring) == 19, occurring
    assert pnoc["miou"] >= 30
    assert pnoc["miou"] > oc["miou"]
    assert seconds < 20 * 60
    refined = "voc12-mini-poolnet"
    snakemake(tmp_path, f"results/{refined}/metrics/saliency.json", f"results/{refined}/figures/saliency.png")
    saliency = metrics(tmp_path, refined, "saliency")
    print(f"\n{refined}: { ({kind: saliency[kind]['miou'] for kind in saliency['kinds']}) }")
    assert saliency["c2am"]["miou"] < saliency["crf"]["miou"]


def chain(directory: Path, run: str) -> dict[str, float]:
    """mIoU in percent of what a run scores."""
    with open(directory / "results" / run / "metrics" / "chain.csv", newline="") as file:
        return {row["stage"]: float(row["miou"]) for row in csv.DictReader(file) if row["miou"]}


def test_the_demo_makes_the_whole_chain_in_a_quarter_of_an_hour(tmp_path, repository):
    shutil.copytree(repository / "config", tmp_path / "config")
    seconds = snakemake(tmp_path)
    lines = len((tmp_path / "printed").read_text().splitlines())
    snakemake(tmp_path, "results/shapes-supervised/val_miou.txt")
    found = chain(tmp_path, "shapes")
    reached, upper = (
        float((tmp_path / "results" / run / "val_miou.txt").read_text().split()[0])
        for run in ("shapes", "shapes-supervised")
    )
    print(f"\nshapes: {found}, masks {reached} of {upper} at most, {seconds:.0f} s, {lines} lines")
    assert seconds < 15 * 60 and lines < 130, "make demo adds 20 lines"
    assert found["cams"] < found["walks"] < found["pseudo_labels"]
    assert reached >= 60 and reached >= upper - 10


def test_the_whole_chain_on_real_images(tmp_path, shared):
    shutil.copytree(CONFIGS, tmp_path / "config")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "voc12-mini").symlink_to(shared / "voc12-mini")
    targets = ("results/voc12-mini/val_miou.txt", "results/voc12-mini/metrics/chain.csv")
    seconds = snakemake(tmp_path, *targets)
    found = chain(tmp_path, "voc12-mini")
    print(f"\nvoc12-mini: {found}, {seconds:.0f} s")
    assert seconds < 45 * 60
    assert found["pseudo_labels"] >= found["cams"] + 5
