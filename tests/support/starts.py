"""Starts the trainings of a run by its scripts, at tiny sizes, up to the end of their first optimizer step.

Batches, norms and methods are the run's; networks, images and crops are small, batches are not accumulated,
and the precision is float32, as float16 takes a CPU minutes. A script's processes are forked, because each
new one would import torch.
"""

import json
import os
import runpy
import socket
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsss.config import TrainingConfig
from wsss.data.index import Index, Record
from wsss.data.palette import voc_palette
from wsss.models import Classifier
from wsss.runs import step as step_module
from wsss.runs.networks import trainings_of
from wsss.runs.run import Run, load_run
from wsss.runs.stages import STAGES
from wsss.store.cams import CamMaps
from wsss.store.files import write_png, write_text
from wsss.store.label_maps import write_label_shard
from wsss.store.maps import write_shard
from wsss.store.networks import Header, save_model

SIZE, CROP, CLASSES = (48, 40), 32, ("a", "b")
#: small networks, by the beginning of the names of those of their kind in the shipped runs
SMALL = {
    "resnest": "resnest14d",
    "resnet": "resnet18",
    "tf_efficientnet_lite0": "tf_efficientnet_lite0",
    "vit_": "vit_tiny_patch16_224",
}


def write_tiny(directory: Path, name: str, run: Run, processes: int) -> Run:
    """Write and load the run `name`, which is `run` at tiny sizes, on a CPU with so many processes."""
    values: dict[str, Any] = {"extends": run.name, "machine": machine(processes)}
    for path in (STAGES[stage].section.split(".") for stage in trainings_of(run)):
        section: TrainingConfig = attrgetter(".".join(path))(run.config)
        tiny: dict[str, Any] = {
            "network": {"backbone": small_of(section.network.backbone), "weights": "none"},
            "optimisation": {"epochs": 1, "accumulate": 1, "precision": "float32"},
        }
        if path == ["saliency", "c2am"]:
            tiny["augmentation"] = {"size": CROP, "crop": CROP}
        elif hasattr(section, "augmentation"):
            tiny["augmentation"] = {"crop": CROP, "min_side": CROP, "max_side": 48}
        if path == ["affinity", "training"]:
            tiny["radius"] = 3
        node = values
        for part in path[:-1]:
            node = node.setdefault(part, {})
        node[path[-1]] = tiny
    write_text(directory / f"{name}.yaml", json.dumps(values))
    return load_run(name, directory)


def small_of(backbone: str) -> str:
    """A small network of the same kind."""
    return next(small for kind, small in SMALL.items() if backbone.startswith(kind))


def machine(processes: int) -> dict[str, Any]:
    """A CPU with so many processes per training."""
    return {"device": "cpu", "processes": processes, "threads": 1, "workers": 0, "progress": False}


def command(run: Run, stage: str, root: Path) -> list[str]:
    """The words of a stage's script, and under `root` the files that it reads, for one optimizer step."""
    section: TrainingConfig = attrgetter(STAGES[stage].section)(run.config)
    index = images(root / "images", section.optimisation.batch)
    index.write(root / "train.csv")
    words = ["--run", run.name, "--config", run.section(stage), "--index", "train.csv"]
    words += ["--out", "out/model.safetensors", "--metrics", "out/metrics.csv"]
    return [*words, *inputs(run, stage, index, root)]


def images(directory: Path, count: int) -> Index:
    """So many images of noise, each with a label and a mask."""
    rng, records = np.random.default_rng(0), []
    for number in range(count):
        image, mask = directory / f"{number}.png", directory / f"{number}.mask.png"
        if not mask.exists():
            write_png(image, rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8))
            write_png(mask, np.pad(np.ones((20, 20), np.uint8), ((0, 28), (0, 20))))
        records.append(Record(str(number), image, mask, (CLASSES[number % 2],)))
    return Index(tuple(records), CLASSES, "train", "d")


def inputs(run: Run, stage: str, index: Index, root: Path) -> list[str]:
    """What a stage's training reads beside the index."""
    if stage == "priors" and run.config.priors.uses_oc:
        name = run.config.oc.network.backbone
        header = Header("Classifier", name, run.config.oc.network.output_stride, CLASSES, "d")
        save_model(root / "oc.safetensors", Classifier(name, len(CLASSES)), header)
        return ["--oc", "oc.safetensors"]
    if stage == "c2am":
        write_shard(root / "cams.safetensors", map(cams, index), digest="d")
        return ["--cams", *(["cams.safetensors"] if run.config.saliency.uses_hints else [])]
    if stage in ("poolnet", "affinity", "segmentation"):
        selection = ["--val-labels"] if stage == "segmentation" else []
        if stage == "segmentation" and run.config.segmentation.labels == "ground_truth":
            return ["--labels", *selection]
        mask = np.pad(np.ones((20, 20), np.uint8), ((0, 28), (0, 20))) * (255 if stage == "poolnet" else 1)
        maps = [(record.id, mask) for record in index]
        write_label_shard(root / "maps", maps, digest="d", palette=voc_palette())
        return ["--masks" if stage == "poolnet" else "--labels", "maps", *selection]
    return []


def cams(record: Record) -> CamMaps:
    """CAMs of an image's class, high on the left half."""
    values = np.zeros((1, 3, 3), np.float32)
    values[..., :2] = 1
    return CamMaps(record.id, SIZE, np.array([0, CLASSES.index(record.labels[0]) + 1]), {1.0: values})


def start(script: str, words: Sequence[str], said: Path) -> int:
    """The exit status of a script in a process of its own, which forks those that share the training."""
    process = get_context("fork").Process(target=_run, args=(script, words, said))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _run(script: str, words: Sequence[str], said: Path) -> None:
    descriptor = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 2)
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115 until the process ends
    torch.set_num_threads(1)
    step_module.in_processes = _forked  # type: ignore[attr-defined]
    step_module.Step.require = lambda *_: None  # type: ignore[method-assign,assignment]  # inputs of no run
    sys.argv = sys.orig_argv = [script, *words]
    runpy.run_module(f"workflow.scripts.{script}", run_name="__main__", alter_sys=False)


def _forked(words: Sequence[str], count: int) -> int:
    """As `wsss.machine.launch.in_processes`, on one node."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    world = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    world |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}

    def begin(rank: int) -> None:
        os.environ.update(world, RANK=str(rank), LOCAL_RANK=str(rank))
        runpy.run_module(f"workflow.scripts.{words[0]}", run_name="__main__", alter_sys=False)

    processes = [get_context("fork").Process(target=begin, args=(rank,)) for rank in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return next((process.exitcode for process in processes if process.exitcode), 0)
