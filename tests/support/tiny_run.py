"""A run as people start it, over a few small images: its configuration, index and ordinary classifier."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from support.tiny import BACKBONE, CLASSES, REPOSITORY, load_tiny, training
from support.tiny import step_of as step_with

from wsss.data.index import Index, Record
from wsss.models import Classifier
from wsss.runs.run import Run
from wsss.runs.stages import STAGES
from wsss.runs.step import Step
from wsss.store.files import write_png
from wsss.store.networks import Header, save_model

SIDE = 64


def make_run(
    root: Path, *, images: int = 8, machine: dict[str, Any] | None = None, **optimisation: Any
) -> Run:
    """Write the configuration `tiny` under `root`, and what a training of P-NOC takes."""
    crop = {"crop": SIDE, "min_side": 48, "max_side": SIDE}
    steps = {"batch": 4, "epochs": 2, "lr": 0.01, **optimisation}
    precise = {"precision": "float32", "accumulate": 1} | steps
    run = load_tiny(
        root, "tiny", oc=training(crop, **steps), priors=training(crop, **precise), machine=machine or {}
    )
    _write_index(root, images, run.digest("index"))
    torch.manual_seed(0)
    header = Header(Classifier.__name__, BACKBONE, 16, CLASSES, run.digest("oc"))
    save_model(root / "oc.safetensors", Classifier(BACKBONE, len(CLASSES)), header)
    return run


def script(name: str, root: Path, *arguments: str, section: str) -> subprocess.Popen[str]:
    """Start a script of the workflow there, as a rule would, with one thread."""
    module = f"workflow.scripts.{name}"
    command = [sys.executable, "-m", module, "--run", "tiny", "--config", section, *arguments]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(command, cwd=root, env=alone, **pipes)


def train_priors(root: Path, run: Run) -> subprocess.Popen[str]:
    """Start the training of the generator."""
    files = ["--index", "index.csv", "--oc", "oc.safetensors", "--out", "priors.safetensors"]
    report = ["--metrics", "priors.csv", "--log", "priors.log"]
    return script("train_priors", root, *files, *report, section=run.section("priors"))


def step_of(run: Run, stage: str, name: str, **changes: Any) -> Step:
    """A training that is about to start in the directory of a run; changes: settings of its section.

    name: of its files, `<name>.safetensors` and `<name>.csv`.
    """
    section = STAGES[stage].parse(run.section(stage))
    section = type(section).model_validate(section.model_dump() | changes)
    files = {
        "index": "index.csv",
        "oc": "oc.safetensors",
        "out": f"{name}.safetensors",
        "metrics": f"{name}.csv",
    }
    return step_with(run, stage, section=section, **{key: Path(file) for key, file in files.items()})


def _write_index(root: Path, images: int, digest: str) -> None:
    rng = np.random.default_rng(0)
    records = []
    for i in range(images):
        path = root / "data" / f"{i}.png"
        write_png(path, rng.integers(0, 256, (48, 56, 3), dtype=np.uint8))
        records.append(Record(f"id{i}", path, None, (CLASSES[i % 3], CLASSES[(i + 1) % 3])))
    Index(tuple(records), CLASSES, "train", digest).write(root / "index.csv")
