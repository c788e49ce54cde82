"""A network with its optimizer, its gradient scaler and its count of optimizer steps."""

from typing import Any

import torch

from wsss.config import OptimizationConfig
from wsss.machine import distributed
from wsss.training import optim
from wsss.training.task import Trainable


class NetworkOptimizer:
    """Updates one trainable network. steps: optimizer steps of the whole training."""

    def __init__(
        self, trainable: Trainable, settings: OptimizationConfig, steps: int, device: torch.device
    ) -> None:
        self.settings, self.steps = settings, max(1, steps)
        self.max_grad_norm = trainable.max_grad_norm
        self.network = trainable.network.to(device)
        groups = optim.parameter_groups(self.network, trainable.fresh, settings, trainable.lr_mult)
        self.optimizer = optim.make_optimizer(groups, settings)
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "fp16")
        self.steps_done = 0
        self.optimizer.zero_grad(set_to_none=True)

    def step(self) -> bool:
        """Update the network from the accumulated gradient: average, decay, clip, step.

        Returns False where the gradient scaler skipped the step, which then does not count.
        """
        distributed.average_gradients(self.parameters)
        optim.decay(self.optimizer, optim.poly(self.steps_done, self.steps, self.settings.poly_power))
        if self.max_grad_norm is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm)
        before = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        distributed.share_buffers(self.network)
        stepped = bool(self.scaler.get_scale() >= before)
        self.steps_done += stepped
        return stepped

    @property
    def lr(self) -> float:
        """The highest learning rate of the latest step."""
        return max(group["lr"] for group in self.optimizer.param_groups)

    @property
    def has_gradient(self) -> bool:
        """Whether a gradient waits for the next step."""
        return any(parameter.grad is not None for parameter in self.parameters)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed training needs."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "steps_done": self.steps_done,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.steps_done = state["steps_done"]
