"""The first hour on a GPU: everything that has to be looked at there, in order, with a report to send.

    python benchmarks/gpu_hour.py [--out gpu-hour] [--backbone resnest269e] [--dry]

Takes under 40 minutes, needs no data, and writes OUT.json and OUT.md. A check that fails is reported with its
error, and the next one follows. --dry runs it on a CPU, with a small network: what it shows then is that it
runs.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsss.machine.torch_settings import set_torch_defaults

if __name__ == "__main__":
    set_torch_defaults()

import numpy as np
import torch
import torch.distributed as dist

from wsss.config import RunConfig
from wsss.crf import refine_labels
from wsss.inference.cam_network import CamNetwork
from wsss.inference.random_walks import random_walk
from wsss.machine.devices import count_gpus, driver_version
from wsss.models import Classifier
from wsss.plan.trainings import Subject, to_device_batch, trainer_of_stage
from wsss.store.files import write_json, write_text

#: what another process prints that claims a GPU as a shard does, and keeps it for a moment
CLAIM = """
import os, time
from wsss.machine.devices import claim
claim(1, "auto")
print(os.environ.get("CUDA_VISIBLE_DEVICES", ""), flush=True)
time.sleep(5 if os.environ.get("CUDA_VISIBLE_DEVICES") else 0)
"""
STEPS = 5
#: the trainings of a published run, with images of a batch that fit into 24 GB
TRAININGS = {"oc": 8, "priors": 4, "c2am": 16, "poolnet": 1, "affinity": 16, "segmentation": 8}


@dataclass(frozen=True)
class Hour:
    """What the checks are about. side: of crops, and of the smaller side of images."""

    device: torch.device
    backbone: str
    side: int
    dry: bool

    @property
    def config(self) -> RunConfig:
        """A published run on this backbone, in small where it is dry."""
        crop = {"augmentation": {"crop": self.side}}
        return RunConfig.from_values(
            {
                "dataset": {"kind": "voc", "root": "voc"},
                "network": {"backbone": self.backbone},
                "oc": crop,
                "priors": crop,
                "saliency": {"c2am": {"augmentation": {"crop": self.side, "size": self.side}}},
                "affinity": {"training": {**crop, "radius": 5 if self.dry else 10}},
                "segmentation": {"training": crop},
            }
        )

    @property
    def subject(self) -> Subject:
        """Images of 3 to 4."""
        return Subject((self.side * 3 // 4, self.side), 20)

    def timed(self, call: Callable[[], Any], repeats: int = STEPS) -> float:
        """Seconds of a call: the median, after one that warms up."""
        seconds = []
        for _ in range(1 + (1 if self.dry else repeats)):
            self.wait()
            began = time.perf_counter()
            call()
            self.wait()
            seconds.append(time.perf_counter() - began)
        return float(np.median(seconds[1:]))

    def wait(self) -> None:
        """Until the GPU has done what it was asked for."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def machine(hour: Hour) -> dict[str, Any]:
    """What is installed, and whether it goes together."""
    about: dict[str, Any] = {"python": platform.python_version(), "torch": torch.__version__}
    about |= {"driver": driver_version(), "gpus": count_gpus(), "cuda": torch.version.cuda}
    if hour.device.type == "cuda":
        properties = torch.cuda.get_device_properties(hour.device)
        about |= {"gpu": properties.name, "memory_gib": properties.total_memory / 2**30}
        about |= {"capability": torch.cuda.get_device_capability(), "kernels": torch.cuda.get_arch_list()}
    return about


def two_shards(hour: Hour) -> dict[str, Any]:
    """Two processes without a scheduler claim different GPUs, or the second one waits."""
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    started = [
        subprocess.Popen([sys.executable, "-c", CLAIM], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(min(2, max(1, count_gpus())))
    ]
    claimed = [process.communicate(timeout=120)[0].strip() for process in started]
    if count_gpus() > 1 and len(set(claimed)) < 2:
        raise RuntimeError(f"both claimed {claimed}")
    return {"claimed": claimed}


def unlabeled_stack(hour: Hour) -> dict[str, Any]:
    """A stack of images without labels has no maps, and is no error."""
    network = CamNetwork(Classifier(hour.backbone, 20), hour.device, "auto", True)
    images = torch.zeros(2, *hour.subject.size, 3, dtype=torch.uint8)
    return {"maps": [list(maps.shape) for maps in network(images, [[], []], "images")]}


def steps(hour: Hour) -> dict[str, Any]:
    """Seconds per step and peak of memory of every training, to compare with `wsss plan`."""
    found = {}
    for stage, images in TRAININGS.items():
        images = min(images, 2) if hour.dry else images
        precisions = ("auto",) if hour.dry or stage in ("poolnet", "affinity") else ("float32", "auto")
        for precision in precisions:
            options: dict[str, Any] = {"images": images, "device": hour.device, "precision": precision}
            trainer, batch = trainer_of_stage(hour.config, stage, hour.subject, **options)
            batch = to_device_batch(batch, hour.device)
            if hour.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            seconds = hour.timed(lambda trainer=trainer, batch=batch: next(trainer.steps([batch])))
            row = {"images": images, "seconds": seconds, "images_per_second": images / seconds}
            if hour.device.type == "cuda":
                row["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
            found[f"{stage} {precision}"] = row
    return found


def layouts(hour: Hour) -> dict[str, Any]:
    """Forward and backward of the backbone in both layouts, and compiled: which one is to be chosen."""
    network = Classifier(hour.backbone, 20).to(hour.device).train()
    found = {}
    for name in ("contiguous", "channels last", *([] if hour.dry else ["compiled"])):
        layout = torch.channels_last if name == "channels last" else torch.contiguous_format
        network.backbone.layout = layout
        network.to(memory_format=layout)
        forward: Any = torch.compile(network) if name == "compiled" else network
        images = torch.randn(2 if hour.dry else 8, 3, hour.side, hour.side, device=hour.device)

        def step(forward: Any = forward, images: torch.Tensor = images) -> None:
            with torch.autocast(hour.device.type, torch.bfloat16, enabled=hour.device.type == "cuda"):
                loss = forward(images).float().square().mean()
            loss.backward()

        found[name] = hour.timed(step)
    return found


def repeated(hour: Hour) -> dict[str, Any]:
    """By how much the loss terms of two equal trainings differ after a few steps."""
    ends = []
    for _ in range(2):
        torch.manual_seed(0)
        trainer, batch = trainer_of_stage(hour.config, "oc", hour.subject, images=2, device=hour.device)
        batch["image"] = torch.randn(batch["image"].shape, generator=torch.Generator().manual_seed(0))
        batch = to_device_batch(batch, hour.device)
        ends.append([sum(terms.values()) for terms in trainer.steps([batch] * (2 if hour.dry else STEPS))])
    return {"difference": float(np.abs(np.subtract(*ends)).max()), "losses": ends[0]}


def exchange(hour: Hour) -> dict[str, Any]:
    """Sum a tensor over all GPUs by NCCL: bytes per second of each."""
    count = 1 if hour.dry else max(1, torch.cuda.device_count())
    if count == 1:
        return {"processes": 1, "bytes_per_second": _exchange(0, 1, hour.device.type, "")}
    place = f"file:///tmp/wsss-gpu-hour-{os.getpid()}"
    torch.multiprocessing.spawn(_exchange, (count, "cuda", place), nprocs=count)
    return {"processes": count}


def _exchange(rank: int, count: int, kind: str, place: str) -> float:
    where: dict[str, Any] = {"init_method": place} if place else {"store": dist.HashStore()}
    dist.init_process_group("nccl" if kind == "cuda" else "gloo", rank=rank, world_size=count, **where)
    values = torch.ones(1 << 20 if kind == "cpu" else 1 << 28, device=torch.device(kind, rank))
    began = time.perf_counter()
    dist.all_reduce(values)
    right = bool((values == count).all())
    dist.destroy_process_group()
    if not right:
        raise RuntimeError("the sum is wrong")
    return float(values.numel() * 4 / (time.perf_counter() - began))


def walk(hour: Hour) -> dict[str, Any]:
    """Seconds of the random walk of a stack, and its largest difference from the CPU's."""
    generator = torch.Generator().manual_seed(0)
    size = (hour.side // 4, hour.side // 4)
    cams, edges = torch.rand(2, 2, *size, generator=generator), torch.rand(2, *size, generator=generator)
    there = random_walk(cams.to(hour.device), edges.to(hour.device)).cpu()
    seconds = hour.timed(lambda: random_walk(cams.to(hour.device), edges.to(hour.device)))
    return {"seconds": seconds, "difference": float((there - random_walk(cams, edges)).abs().max())}


def crf(hour: Hour) -> dict[str, Any]:
    """Seconds of a core for the dense CRF of a photograph, which stays on the CPU."""
    height, width = (3 * hour.side // 4, hour.side)
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    labels = np.zeros((height, width), np.int64)
    labels[:, width // 2 :] = 1
    return {"seconds": hour.timed(lambda: refine_labels(image, labels, 2, iterations=10, gt_prob=0.7))}


#: in the order in which they are looked at
CHECKS: dict[str, Callable[[Hour], dict[str, Any]]] = {
    check.__name__: check
    for check in (machine, two_shards, unlabeled_stack, steps, layouts, repeated, exchange, walk, crf)
}


def report(hour: Hour) -> dict[str, Any]:
    """What every check says, or the error that it ends with, and its seconds."""
    found: dict[str, Any] = {}
    for name, check in CHECKS.items():
        began = time.monotonic()
        try:
            found[name] = {"result": check(hour)}
        except Exception as error:  # the next check is to be seen, whatever this one raises
            found[name] = {"error": f"{type(error).__name__}: {error}"}
        found[name]["seconds"] = round(time.monotonic() - began, 1)
        print(f"{name}: {json.dumps(found[name], default=str)}", flush=True)
    return found


def as_markdown(found: dict[str, Any], dry: bool) -> str:
    """A section per check."""
    parts = ["# First hour on a GPU" + (", dry: on a CPU, nothing was measured" if dry else "")]
    for name, outcome in found.items():
        parts.append(f"## {name.replace('_', ' ')} ({outcome['seconds']} s)\n\n{CHECKS[name].__doc__}")
        rows = outcome.get("result", {"error": outcome.get("error")})
        parts.append("\n".join(f"- {key}: {json.dumps(value, default=str)}" for key, value in rows.items()))
    return "\n\n".join(parts) + "\n"


def main(words: list[str] | None = None) -> int:
    """Look at everything; 1 if a check ended with an error."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("gpu-hour"), help="the report, without suffix")
    parser.add_argument("--backbone", default="resnest269e")
    parser.add_argument("--dry", action="store_true", help="on a CPU, small")
    given = parser.parse_args(words)
    if not given.dry and not torch.cuda.is_available():
        parser.error("torch finds no GPU (wsss doctor says why); --dry runs on a CPU")
    device = torch.device("cpu") if given.dry else torch.device("cuda", 0)
    hour = Hour(device, "resnet10t" if given.dry else given.backbone, 64 if given.dry else 512, given.dry)
    found = report(hour)
    write_json(given.out.with_suffix(".json"), found)
    write_text(given.out.with_suffix(".md"), as_markdown(found, given.dry))
    print(f"send {given.out.with_suffix('.json')}, read {given.out.with_suffix('.md')}")
    return int(any("error" in outcome for outcome in found.values()))


if __name__ == "__main__":
    sys.exit(main())
