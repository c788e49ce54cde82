"""What changes the weights: the networks of a task, their optimisers and their average, step by step.

A step is a micro-step: one batch forward and backward. Optimisers step when `accumulate` of them are done.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from wsss.config import OptimizationConfig
from wsss.machine import distributed
from wsss.machine.precision import autocast
from wsss.training.ema import MovingAverage
from wsss.training.learner import Learner
from wsss.training.task import Batch, Moment, Objective, Task


class NotFinite(Exception):
    """A loss or a parameter is no longer a finite number; the message says which."""


class Learning:
    """The state of a training, and the micro-step that advances it. Touches no file.

    per_epoch: micro-steps of an epoch. device: where the networks are.
    """

    def __init__(
        self, task: Task, settings: OptimizationConfig, per_epoch: int, device: torch.device
    ) -> None:
        self.task, self.settings, self.device = task, settings, device
        self.step, self.steps = 0, per_epoch * settings.epochs
        updates = self.steps // settings.accumulate
        self.learners = {
            key: Learner(player, settings, math.ceil(updates / player.every), device)
            for key, player in task.players.items()
        }
        for network in task.frozen:
            network.to(device).requires_grad_(False).eval()
        for learner in self.learners.values():
            learner.network.train()
        self.average = self._moving_average(per_epoch)

    def micro_step(self, batch: Batch) -> dict[str, float]:
        """Forward, backward and, where a batch is complete, update. Returns the loss terms of all processes.

        batch: on the device. Raises NotFinite before the player whose loss it is has been updated.
        """
        self._seed()
        objectives = self.task.objectives(
            batch, Moment(self.step, self.steps, self.step // self.settings.accumulate)
        )
        self.step += 1
        values: dict[str, float] = {}
        while (objective := self._next(objectives)) is not None:
            # Read behind the backward pass: a GPU need not wait between the two for us to look.
            values |= self._finite(objective)
            if self.complete:
                self._update(objective.player)
        return values

    @property
    def complete(self) -> bool:
        """Whether the optimisers step with the newest micro-step."""
        return self.step % self.settings.accumulate == 0

    @property
    def at_rest(self) -> bool:
        """Whether `state_dict` is everything: no gradient waits for the next step of an optimiser."""
        return self.complete and not any(learner.holds_gradient for learner in self.learners.values())

    @property
    def result(self) -> torch.nn.Module:
        """The network that the task makes, or its average, in evaluation mode."""
        network = self.learners[self.task.result].network
        return (self.average.shadow if self.average else network).eval()

    @contextmanager
    def resting(self) -> Iterator[torch.nn.Module]:
        """The result so far, in evaluation mode while the block runs; then learning goes on as before."""
        yield self.result
        for learner in self.learners.values():
            learner.network.train()

    def require_finite(self) -> None:
        """Raise NotFinite when a parameter is no finite number."""
        for key, learner in self.learners.items():
            for name, parameter in learner.network.named_parameters():
                if not torch.isfinite(parameter).all():
                    raise NotFinite(f"{name} of the {key} is not finite")

    def rates(self) -> dict[str, float]:
        """The highest learning rate of each player."""
        return {f"lr/{key}": learner.rate for key, learner in self.learners.items()}

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed training needs, where it is `at_rest`."""
        return {
            "step": self.step,
            "learners": {key: learner.state_dict() for key, learner in self.learners.items()},
            "task": self.task.state_dict(),
            "average": self.average.state_dict() if self.average else {},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.step = state["step"]
        for key, learner in self.learners.items():
            learner.load_state_dict(state["learners"][key])
        self.task.load_state_dict(state["task"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])

    def _seed(self) -> None:
        # One seed per step and process: dropout then needs no saved generator state to resume exactly.
        words = np.random.SeedSequence((self.settings.seed, self.step, distributed.rank())).generate_state(2)
        seed = int(words[0]) << 32 | int(words[1])
        # `torch.manual_seed` would format three stack traces, for devices that are not in use.
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _next(self, objectives: Iterator[Objective]) -> Objective | None:
        """The next objective, already back-propagated."""
        with autocast(self.device, self.settings.precision):
            objective = next(objectives, None)
            if objective is None:
                return None
            total = objective.total
        if self.settings.reduction == "mean":
            total = total / self.settings.accumulate
        self.learners[objective.player].scaler.scale(total).backward()
        return objective

    def _finite(self, objective: Objective) -> dict[str, float]:
        means = distributed.mean(torch.stack([term.detach().float() for term in objective.terms.values()]))
        values = dict(zip(objective.terms, means.tolist(), strict=True))
        if not all(map(math.isfinite, values.values())):
            terms = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
            raise NotFinite(f"the loss of the {objective.player} is not finite ({terms})")
        return values

    def _update(self, player: str) -> None:
        learner = self.learners[player]
        if learner.step() and self.average is not None and player == self.task.result:
            self.average.update(learner.network, learner.taken)

    def _moving_average(self, per_epoch: int) -> MovingAverage | None:
        ema = self.settings.ema
        if ema is None:
            return None
        warmup = round(ema.warmup_epochs * per_epoch / self.settings.accumulate)
        network = self.learners[self.task.result].network
        return MovingAverage(network, decay=ema.decay, every=ema.every, warmup=warmup)
