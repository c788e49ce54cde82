"""One micro-step of a training: a batch forward and backward, and the optimizer steps that it completes."""

import math
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from wsss.config import OptimizationConfig
from wsss.machine import distributed
from wsss.machine.loading import seed_torch
from wsss.machine.precision import autocast
from wsss.progress import LOGGER
from wsss.training.state import TrainState
from wsss.training.task import Batch, Objective


class NotFinite(Exception):
    """A loss that is not finite; its message says which."""


class MicroStep:
    """Trains on a batch. Where `fit` is set and a GPU's memory is too small, every batch is divided in parts.

    parts: so many; the gradients of the parts add up to that of the batch. fit: `machine.fit`.
    """

    def __init__(
        self, name: str, state: TrainState, settings: OptimizationConfig, device: torch.device, *, fit: bool
    ) -> None:
        self.name, self.state, self.settings, self.device, self.fit = name, state, settings, device, fit
        self.parts = 1

    def __call__(self, batch: Batch) -> dict[str, float]:
        """The loss terms of a batch. Raises NotFinite."""
        state = self.state
        before = state.task.state_dict() if self.fit else {}
        clean, steps_done = self.fit and state.can_checkpoint, self._steps_done()
        while True:
            try:
                losses = self._steps(batch)
                break
            except torch.OutOfMemoryError as error:
                unchanged = clean and steps_done == self._steps_done()
                if reason := self._refusal(len(batch["id"]), unchanged=unchanged):
                    error.add_note(reason)
                    raise
            # Outside of the handler, whose error keeps what the step has computed.
            self._divide(before, len(batch["id"]))
        if state.accumulated:
            state.share_loss_scale()
        return losses

    def _steps(self, batch: Batch) -> dict[str, float]:
        state, settings, losses = self.state, self.settings, dict[str, float]()
        accumulated = settings.accumulate if settings.reduction == "mean" else 1
        seed_torch((settings.seed, state.step, distributed.rank()), self.device)
        batches = self._parts(batch)
        running = [state.task.objectives(part, state.next_step()) for part in batches]
        state.step += 1
        while True:
            for part, objectives in zip(batches, running, strict=True):
                with autocast(self.device, settings.precision):
                    objective = next(objectives, None)  # forward
                if objective is None:
                    return losses
                share = len(part["id"]) / len(batch["id"])
                name, optimizer = objective.network, state.optimizers[objective.network]
                optimizer.scaler.scale(objective.total * share / accumulated).backward()
                # Read after the backward pass, so that a GPU does not wait between the two.
                for term, value in _finite_terms(objective).items():
                    losses[term] = losses.get(term, 0.0) + share * value
            if state.accumulated:
                optimizer.step()
                state.update_average(name)

    def _parts(self, batch: Batch) -> list[Batch]:
        """Parts with an equal number of images, or one less."""
        if self.parts == 1:
            return [batch]
        images = len(batch["id"])
        bounds = [images * part // self.parts for part in range(self.parts + 1)]
        return [
            cast(Batch, {key: _cut(value, begin, end, images) for key, value in batch.items()})
            for begin, end in pairwise(bounds)
        ]

    def _refusal(self, images: int, *, unchanged: bool) -> str:
        """Why the batch that ran out of memory is not divided further; empty if it is."""
        if not self.fit:
            return "machine.fit: true would divide batches, where the result stays the same"
        if distributed.world() > 1:
            return "machine.fit divides batches in a training with one process only"
        if self.parts >= images:
            return f"machine.fit: a single image of the {images} does not fit"
        if self.state.task.needs_whole_batch:
            return "machine.fit divides no batch here: the loss compares the images of a batch"
        for key, optimizer in self.state.optimizers.items():
            if any(isinstance(part, _BatchNorm) and part.training for part in optimizer.network.modules()):
                return f"machine.fit divides no batch here: batch norm of the {key} learns, of whole batches"
        if not unchanged:
            return "machine.fit divides no batch of which a part has been trained on already; start it again"
        return ""

    def _divide(self, before: dict[str, Any], images: int) -> None:
        """Forget the micro-step, and take twice as many parts, or an image each.

        before: the task's own state before it.
        """
        self.parts = min(2 * self.parts, images)
        self.state.step -= 1
        self.state.task.load_state_dict(before)
        for optimizer in self.state.optimizers.values():
            optimizer.optimizer.zero_grad(set_to_none=True)
        message = "%s: out of GPU memory; continues with each batch of %d in %d parts"
        LOGGER.warning(message, self.name, images, self.parts)

    def _steps_done(self) -> int:
        return sum(optimizer.steps_done for optimizer in self.state.optimizers.values())


def _finite_terms(objective: Objective) -> dict[str, float]:
    means = distributed.mean(torch.stack([term.detach().float() for term in objective.terms.values()]))
    values = dict(zip(objective.terms, means.tolist(), strict=True))
    if not all(map(math.isfinite, values.values())):
        terms = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        raise NotFinite(f"the loss of the {objective.network} is not finite ({terms})")
    return values


def _cut(value: Any, begin: int, end: int, images: int) -> Any:
    of_images = isinstance(value, Tensor | list) and len(value) == images
    return value[begin:end] if of_images else value
