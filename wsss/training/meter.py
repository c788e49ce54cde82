"""What a training reports: means of its loss terms, speed, share of time spent waiting for data, memory."""

import resource
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch


class Meter:
    """Means of the loss terms since the last row, speed, waiting for data, memory. batch: images per step."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.last: dict[str, float] = {}
        self.speed = self.waiting = 0.0
        self._clear()
        self.start()

    def start(self) -> None:
        """Start the clock."""
        self.mark = time.monotonic()

    def data_ready(self) -> None:
        """The next batch was loaded."""
        self.waited += self._lap()

    def step_done(self, values: dict[str, float]) -> None:
        """A micro-step has ended, with these loss terms."""
        self.worked += self._lap()
        self.steps += 1
        if (seconds := self.waited + self.worked) > 0:
            self.speed, self.waiting = self.steps * self.batch / seconds, self.waited / seconds
        self.last.update(values)
        for name, value in values.items():
            self.sums[name] += value
            self.counts[name] += 1

    def row(self) -> dict[str, float]:
        """Means since the last row, and resets them; terms that did not occur are left out."""
        values = {f"loss/{name}": total / self.counts[name] for name, total in self.sums.items()}
        seconds = self.waited + self.worked
        values["images_per_second"] = self.steps * self.batch / seconds if seconds > 0 else 0.0
        values["data_share"] = self.waited / seconds if seconds > 0 else 0.0
        values["memory_gb"] = memory_gb()
        self._clear()
        return values

    def note(self, rates: Mapping[str, float]) -> str:
        """The newest terms, for the progress line. rates: the learning rates, by name."""
        losses = " ".join(f"{name} {value:.3g}" for name, value in self.last.items())
        lr = " ".join(f"{rate:.2g}" for rate in rates.values())
        speed = f"{self.speed:.3g} images/s, waits {100 * self.waiting:.0f} % for data"
        return f"{losses}, lr {lr}, {speed}, {memory_gb():.1f} GB"

    def state_dict(self) -> dict[str, Any]:
        """The sums of the current row, without its times: a resumed training completes it."""
        return {"sums": dict(self.sums), "counts": dict(self.counts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.sums.update(state["sums"])
        self.counts.update(state["counts"])

    def _lap(self) -> float:
        before, self.mark = self.mark, time.monotonic()
        return self.mark - before

    def _clear(self) -> None:
        self.sums: dict[str, float] = defaultdict(float)
        self.counts: dict[str, int] = defaultdict(int)
        self.waited = self.worked = 0.0
        self.steps = 0


def memory_gb() -> float:
    """Peak memory in GB: the GPU's where there is one, this process's otherwise."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
