"""A new stage is one entry of the table, one rule and one script: then it is planned, made and reported."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.workflow import AUGMENTATION, NETWORK, OPTIMISATION, REPOSITORY, TINY, make, planned, write_run

ENTRY = """
        Stage(
            "brightness",
            rule="measure_brightness",
            title="brightness",
            kind="maps",
            section="evaluation",
            before=lambda config: ("index",),
            goal=always,
            shards="LabelShard",
            picture="brightness",
        ),
"""

RULE = """

rule measure_brightness:
    input:
        output_of("index"),
    output:
        directory("results/{run}/brightness/{split}/{shard}"),
    log:
        "results/{run}/logs/measure_brightness.{split}.{shard}.log",
    benchmark:
        "results/{run}/benchmarks/measure_brightness.{split}.{shard}.tsv"
    params:
        config=config_of("brightness"),
        digest=digest_of("brightness"),
    shell:
        "python -m workflow.scripts.measure_brightness --run {wildcards.run} --config {params.config:q}"
        " --threads {threads} --log {log} --index {input} --shard {wildcards.shard} --out {output}"
"""

SCRIPT = '''"""Measure the brightness of the images of one shard of a split."""

from pathlib import Path

import numpy as np

from wsss.data.images import read_image
from wsss.runs.step import Step, parser, run_step
from wsss.store.label_maps import write_label_shard


def measure_brightness(step: Step) -> None:
    """Write a map of grey values per image."""
    files = step.arguments
    records = step.read_index(files.index).shard(*step.shard)
    maps = ((record.id, np.asarray(read_image(record.image).convert("L"))) for record in records)
    write_label_shard(files.out, maps, digest=step.digest)


if __name__ == "__main__":
    arguments = parser(__doc__, "index", "shard")
    arguments.add_argument("--out", required=True, type=Path, help="directory of the maps")
    run_step("brightness", measure_brightness, arguments.parse_args())
'''

#: a short chain: the network learns from the masks of the embedded data set
SHORT = {
    "dataset": TINY["dataset"],
    "cams": {"shards": 2},
    "segmentation": {
        "labels": "ground_truth",
        "training": {"network": NETWORK, "optimisation": OPTIMISATION, "augmentation": AUGMENTATION},
        "masks": {"scales": [1.0], "crf": {"iterations": 0}},
    },
    "machine": {**TINY["machine"], "progress": False},
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the system with one more stage."""
    copy = tmp_path / "checkout"
    for part in ("wsss", "workflow", "rules", "profiles"):
        shutil.copytree(REPOSITORY / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "Snakefile", copy)
    table = copy / "wsss" / "runs" / "stages.py"
    entries, end, rest = table.read_text(encoding="utf-8").partition("\n    )\n}\n")
    assert end
    table.write_text(entries + ENTRY.rstrip() + end + rest, encoding="utf-8")
    with open(copy / "rules" / "data.smk", "a", encoding="utf-8") as rules:
        rules.write(RULE)
    (copy / "workflow" / "scripts" / "measure_brightness.py").write_text(SCRIPT, encoding="utf-8")
    return copy


def test_a_stage_is_an_entry_a_rule_and_a_script(checkout: Path, tmp_path: Path) -> None:
    directory = tmp_path / "runs"
    directory.mkdir()
    write_run(directory, "short", SHORT)
    assert "measure_brightness" not in planned(directory, "results/short/report.html")
    assert planned(directory, "results/short/report.html", checkout=checkout)["measure_brightness"] == 2

    shards = [f"results/short/brightness/train/{shard:03d}" for shard in range(2)]
    make(directory, "results/short/report.html", *shards, checkout=checkout)
    assert len(list((directory / shards[0]).glob("*.png"))) == 12

    call = [sys.executable, "-m", "wsss.cli", "status", "short"]
    alone = {**os.environ, "PYTHONPATH": str(checkout)}
    status = subprocess.run(call, cwd=directory, env=alone, capture_output=True, text=True, timeout=60)
    line = next(line for line in status.stdout.splitlines() if line.startswith("brightness"))
    assert line.split()[1:3] == ["done", "4/4"], status.stdout + status.stderr

    results = directory / "results" / "short"
    with open(results / "metrics" / "chain.csv", newline="", encoding="utf-8") as file:
        assert "brightness" in {row["stage"] for row in csv.DictReader(file)}
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "measure_brightness" in page, "a line of the table of stages"
    assert 'name="stage" value="brightness"' in page, "its pictures can be chosen in the gallery"
    assert page.count('data-stage="brightness"') == 8, "a picture of each image"
