"""The workflow as people start it, on tiny runs: their configurations, and calls of Snakemake."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from support.tiny import MACHINE, NETWORK, REPOSITORY, training

AUGMENTATION = {"crop": 32, "min_side": 32, "max_side": 48}
PRECISE = {"epochs": 1, "batch": 8, "accumulate": 1, "precision": "float32"}
TINY: dict[str, Any] = {
    "dataset": {"kind": "shapes", "train_images": 24, "val_images": 8, "size": 40},
    "oc": training(AUGMENTATION, epochs=1, batch=8),
    "priors": training(AUGMENTATION, **PRECISE),
    "cams": {"scales": [1.0], "shards": 2},
    "saliency": {
        "c2am": training({"size": 40, "crop": 32}, **PRECISE),
        "maps": {"scales": [1.0]},
        "crf": {"iterations": 1},
        "poolnet": {"network": NETWORK, "optimisation": {"epochs": 1, "accumulate": 8}},
    },
    "machine": {**MACHINE, "checkpoint_minutes": 0},
}

FIGURES = ("cams", "oc_training", "priors_training", "saliency", "c2am_training", "poolnet_training")
TARGETS = (
    "results/tiny/metrics/cams.json",
    *(f"results/tiny/figures/{name}.png" for name in FIGURES),
    "results/tiny/metrics/saliency.json",
)


def command(*arguments: str, checkout: Path = REPOSITORY) -> list[str]:
    """A call of Snakemake with this checkout's rules; the working directory is the caller's."""
    # Without --profile, Snakemake reads the checkout's profiles/default.
    return [sys.executable, "-m", "snakemake", "--snakefile", str(checkout / "Snakefile"), *arguments]


def snakemake(directory: Path, *arguments: str, **options: Any) -> tuple[int, str]:
    """Run it and return its exit status and what it printed."""
    checkout = options.pop("checkout", REPOSITORY)
    call = command(*arguments, checkout=checkout)
    ended = subprocess.run(
        call,
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        **options,
    )
    return ended.returncode, ended.stdout


def planned(directory: Path, *targets: str, **options: Any) -> dict[str, int]:
    """Jobs of each rule that Snakemake would run."""
    status, printed = snakemake(directory, "--dry-run", *(targets or TARGETS), **options)
    assert status == 0, printed
    table = printed.partition("Job stats:")[2].partition("total")[0]
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    assert jobs or "Nothing to be done" in printed, printed
    return jobs


def write_run(directory: Path, name: str, config: dict[str, Any]) -> None:
    """Write config/<name>.yaml."""
    (directory / "config").mkdir(exist_ok=True)
    (directory / "config" / f"{name}.yaml").write_text(
        yaml.safe_dump(config, sort_keys=False), encoding="utf-8"
    )


WHOLE: dict[str, Any] = {
    **TINY,
    "saliency": {**TINY["saliency"], "refine": "none"},
    "affinity": {
        "labels": {"iterations": 1},
        "training": training(AUGMENTATION, epochs=2, batch=8) | {"radius": 3},
        "walk": {"side": 48},
    },
    "segmentation": {
        "training": training(AUGMENTATION, epochs=2, batch=8),
        "masks": {"scales": [1.0], "crf": {"iterations": 1}},
    },
    "machine": {**TINY["machine"], "progress": False},
}


def commands(directory: Path, *targets: str, checkout: Path = REPOSITORY) -> list[str]:
    """What Snakemake would run, in order."""
    dry_run = ("--dry-run", "--printshellcmds", "--", *targets)
    status, printed = snakemake(directory, *dry_run, checkout=checkout)
    assert status == 0, printed
    return re.findall(r"^Shell command: (.*)$", printed, re.MULTILINE)


def make(directory: Path, *targets: str, checkout: Path = REPOSITORY) -> None:
    """Run it all."""
    listed = commands(directory, *targets, checkout=checkout)
    (directory / "commands").write_text("\n".join(listed), encoding="utf-8")
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(checkout)}
    ended = subprocess.run(
        [sys.executable, str(REPOSITORY / "tests" / "support" / "commands_in_one_process.py"), "commands"],
        cwd=directory,
        env=alone,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-3000:]


def rows(path: Path) -> list[dict[str, str]]:
    """Of a CSV."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
