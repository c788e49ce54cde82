"""AffinityNet step: shifted views against index lists of all pairs.

    python benchmarks/affinity_step.py

Forward of the branches, labels of the pairs, loss and backward; 512 px, batch 4, radius 10, ResNeSt-50's
taps drawn at random, one thread. Every version runs in a process of its own, both in one run: seconds per
step (least and median), the rise of the peak memory above what was in use before the first step, loss and
gradient.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsss.losses.affinity import affinity_loss, pair_affinities, pair_labels
from wsss.losses.pairs import directions
from wsss.models import AffinityNet

BACKBONE, SIZE, BATCH, RADIUS, STEPS = "resnest50d", 512, 4, 10, 5


class Taps(nn.Module):
    """Stands where the backbone was and returns the same taps for every image."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.strides = backbone.strides
        generator = torch.Generator().manual_seed(0)
        self.taps = [
            torch.randn(BATCH, channels, SIZE // stride, SIZE // stride, generator=generator).relu()
            for channels, stride in zip(backbone.channels, backbone.strides, strict=True)
        ]

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.taps


class IndexLists:
    """The published way: for every length of path, the indices of all its pixels for all pairs."""

    def __init__(self, height: int, width: int) -> None:
        inner = torch.arange(height * width).view(height, width)
        source = inner[: height - RADIUS + 1, RADIUS - 1 : width - RADIUS + 1].flatten()
        lengths = sorted({len(step.path) for step in directions(RADIUS)})
        self.source = source
        self.paths = [
            torch.stack(
                [
                    torch.stack([source + dy * width + dx for dy, dx in step.path])
                    for step in directions(RADIUS)
                    if len(step.path) == length
                ]
            )
            for length in lengths
        ]

    def affinities(self, edge: Tensor) -> Tensor:
        flat, found = edge.flatten(1), []
        for paths in self.paths:
            along = flat.index_select(1, paths.flatten()).view(len(flat), *paths.shape)
            found.append(1 - functional.max_pool2d(along, (paths.shape[1], 1)).squeeze(2))
        return torch.cat(found, 1)

    def labels(self, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        flat = labels.flatten(1)
        source = flat[:, None, self.source]
        target = torch.cat([flat[:, paths[:, -1]] for paths in self.paths], 1)
        known, same = (source != 255) & (target != 255), source == target
        return known & same & (source == 0), known & same & (source != 0), known & ~same

    @staticmethod
    def loss(affinities: Tensor, background: Tensor, foreground: Tensor, different: Tensor) -> Tensor:
        near, far = -(affinities + 1e-5).log(), -(1 + 1e-5 - affinities).log()
        same = (background * near).sum() / (background.sum() + 1e-5) / 2
        same = same + (foreground * near).sum() / (foreground.sum() + 1e-5) / 2
        return same / 2 + (different * far).sum() / (different.sum() + 1e-5) / 2


def peak() -> float:
    """MB of memory that this process has had at most since `forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def forget_peak() -> None:
    """Begin to count the peak from what is in use now (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def measure(version: str) -> None:
    """One line of the table, as JSON."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = AffinityNet(BACKBONE)
    model.backbone = Taps(model.backbone)
    images = torch.zeros(BATCH, 3, SIZE, SIZE)
    coarse = torch.randint(0, 4, (BATCH, 8, 8))
    labels = torch.where(coarse == 3, 255, coarse).repeat_interleave(16, 1).repeat_interleave(16, 2)
    plain = IndexLists(SIZE // 4, SIZE // 4) if version == "index lists" else None
    forget_peak()
    before, seconds = peak(), []
    for _ in range(STEPS):
        start = time.perf_counter()
        model.zero_grad()
        edge = model(images).sigmoid()
        if plain:
            loss = plain.loss(plain.affinities(edge), *plain.labels(labels))
        else:
            loss = affinity_loss(pair_affinities(edge, RADIUS), pair_labels(labels, RADIUS))
        loss.backward()
        seconds.append(time.perf_counter() - start)
        figures = {"loss": loss.item(), "gradient": model.edge.weight.grad.norm().item()}
        del edge, loss
    times = {"least": min(seconds), "median": statistics.median(seconds)}
    print(json.dumps({**times, "rise": peak() - before, **figures}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.version:
        measure(arguments.version)
        return
    print(f"{'version':15}{'least s':>9}{'median s':>10}{'rise MB':>9}{'loss':>12}{'gradient':>12}")
    lines = {}
    for version in ("index lists", "shifted views"):
        command = [sys.executable, __file__, "--version", version]
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        line = lines[version] = json.loads(done.stdout)
        times = f"{line['least']:9.3f}{line['median']:10.3f}{line['rise']:9.0f}"
        print(f"{version:15}{times}{line['loss']:12.7f}{line['gradient']:12.7f}")
    before, after = lines["index lists"], lines["shifted views"]
    faster, leaner = before["least"] / after["least"], before["rise"] / after["rise"]
    print(f"{faster:.1f} times faster, 1/{leaner:.1f} of the memory")


if __name__ == "__main__":
    main()
