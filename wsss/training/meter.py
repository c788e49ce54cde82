"""What a training reports of itself: means of its loss terms, speed, share of time spent waiting, memory."""

import resource
import time
from collections import defaultdict

import torch

from wsss.training.task import Objective


class Meter:
    """Means of the loss terms since the last row, speed, waiting for data, memory."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.last: dict[str, float] = {}
        self._clear()
        self.mark = time.monotonic()

    def _clear(self) -> None:
        self.sums: dict[str, float] = defaultdict(float)
        self.counts: dict[str, int] = defaultdict(int)
        self.waited = self.worked = 0.0
        self.steps = 0

    def data_ready(self) -> None:
        """The next batch has arrived."""
        now = time.monotonic()
        self.waited += now - self.mark
        self.mark = now

    def step_done(self) -> None:
        """A micro-step has ended."""
        now = time.monotonic()
        self.worked += now - self.mark
        self.mark = now
        self.steps += 1

    def add(self, objective: Objective) -> None:
        """Take in the terms of an objective."""
        for name, term in objective.terms.items():
            self.last[name] = float(term.detach())
            self.sums[name] += self.last[name]
            self.counts[name] += 1

    def row(self) -> dict[str, float]:
        """Means since the last row, which start anew."""
        values = {f"loss/{name}": self.sums[name] / max(1, self.counts[name]) for name in self.last}
        seconds = self.waited + self.worked
        values["images_per_second"] = self.steps * self.batch / seconds if seconds > 0 else 0.0
        values["data_share"] = self.waited / seconds if seconds > 0 else 0.0
        values["memory_gb"] = memory_gb()
        self._clear()
        return values

    def note(self) -> str:
        """The newest terms, for the progress line."""
        losses = " ".join(f"{name} {value:.3g}" for name, value in self.last.items())
        return f"{losses}, {memory_gb():.1f} GB"


def memory_gb() -> float:
    """Peak memory in GB: the GPU's where there is one, this process's otherwise."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
