"""The state of a training: the networks of a task with their optimizers, their average, the step reached.

A step is a micro-step: one batch forward and backward. Optimizers step when `accumulate` of them are done.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from wsss.config import OptimizationConfig
from wsss.training.ema import MovingAverage
from wsss.training.network_optimizer import NetworkOptimizer
from wsss.training.task import StepInfo, Task


class TrainState:
    """What a checkpoint holds, and what the loop changes. Reads and writes no file.

    step: micro-steps done, of `steps`. per_epoch: micro-steps of an epoch. device: where the networks are.
    """

    def __init__(
        self, task: Task, settings: OptimizationConfig, per_epoch: int, device: torch.device
    ) -> None:
        self.task, self.accumulate = task, settings.accumulate
        self.step, self.steps = 0, per_epoch * settings.epochs
        self.optimizer_steps = self.steps // settings.accumulate
        self.optimizers = {
            key: NetworkOptimizer(
                trainable, settings, math.ceil(self.optimizer_steps / trainable.every), device
            )
            for key, trainable in task.trainables.items()
        }
        for network in task.frozen:
            network.to(device).requires_grad_(False).eval()
        self._train_mode()
        self.average = self._moving_average(settings, per_epoch)

    def next_step(self) -> StepInfo:
        """Where the micro-step stands that follows."""
        return StepInfo(self.step, self.steps, self.step // self.accumulate)

    @property
    def accumulated(self) -> bool:
        """Whether the optimizers step with the newest micro-step."""
        return self.step % self.accumulate == 0

    def update_average(self, key: str) -> None:
        """Average in a network whose optimizer has stepped, where it is the one that is averaged."""
        if self.average is not None and key == self.task.result:
            last = self.step + self.accumulate > self.steps
            self.average.update(self.optimizers[key].network, self.optimizers[key].steps_done, last=last)

    def share_loss_scale(self) -> None:
        """Set the loss scales of fp16 to the smallest one of all networks, where their gradients add up."""
        scalers = [optimizer.scaler for optimizer in self.optimizers.values()]
        if self.task.shares_gradients and all(scaler.is_enabled() for scaler in scalers):
            scale = min(scaler.get_scale() for scaler in scalers)
            for scaler in scalers:
                scaler.update(scale)

    @property
    def can_checkpoint(self) -> bool:
        """Whether `state_dict` is everything: no gradient waits for the next step of an optimizer."""
        return self.accumulated and not any(optimizer.has_gradient for optimizer in self.optimizers.values())

    @property
    def result(self) -> torch.nn.Module:
        """The network that the task returns, or its average, in evaluation mode."""
        network = self.optimizers[self.task.result].network
        return (self.average.network if self.average else network).eval()

    @contextmanager
    def eval_mode(self) -> Iterator[torch.nn.Module]:
        """The result so far, in evaluation mode while the block runs."""
        yield self.result
        self._train_mode()

    def not_finite(self) -> str | None:
        """The first parameter that is not a finite number, if there is one."""
        for key, optimizer in self.optimizers.items():
            for name, parameter in optimizer.network.named_parameters():
                if not torch.isfinite(parameter).all():
                    return f"{name} of the {key}"
        return None

    def learning_rates(self) -> dict[str, float]:
        """The highest learning rate of each network."""
        return {f"lr/{key}": optimizer.lr for key, optimizer in self.optimizers.items()}

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed training needs, where it `can_checkpoint`."""
        return {
            "step": self.step,
            "optimizers": {key: optimizer.state_dict() for key, optimizer in self.optimizers.items()},
            "task": self.task.state_dict(),
            "average": self.average.state_dict() if self.average else {},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.step = state["step"]
        for key, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][key])
        self.task.load_state_dict(state["task"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])

    def _train_mode(self) -> None:
        for optimizer in self.optimizers.values():
            optimizer.network.train()

    def _moving_average(self, settings: OptimizationConfig, per_epoch: int) -> MovingAverage | None:
        ema = settings.ema
        if ema is None:
            return None
        warmup = round(ema.warmup_epochs * per_epoch / settings.accumulate)
        network = self.optimizers[self.task.result].network
        return MovingAverage(network, decay=ema.decay, every=ema.every, warmup=warmup)
