"""An exponential moving average (EMA) of a network's parameters: torch's, with the published schedule."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[Tensor, ...] | list[Tensor]


class MovingAverage:
    """`average ← d·average + (1-d)·network` every few optimizer steps; buffers are copied.

    decay: d's limit; early on `d = 1 - 1/(1+n)` after n updates. The first update copies the network, as do
    all during the first `warmup` optimizer steps. The last optimizer step is always averaged in, so that the
    result holds every step. The published code's average is the network itself, by mistake.
    """

    def __init__(self, network: nn.Module, *, decay: float, every: int, warmup: int) -> None:
        self.model = AveragedModel(network, multi_avg_fn=self._average).requires_grad_(False).eval()
        self.decay, self.every, self.warmup = decay, every, warmup
        self.step = 0

    @property
    def network(self) -> nn.Module:
        """The averaged network."""
        return self.model.module

    def update(self, network: nn.Module, step: int, *, last: bool = False) -> None:
        """Average in the network as it is after so many optimizer steps. last: it is not updated any more.

        Nothing happens where the latest optimizer step was skipped and `step` was averaged in before.
        """
        if step == self.step or (step % self.every and not last):
            return
        self.step = step
        if step <= self.warmup:
            self.model.n_averaged.zero_()  # torch then copies
        self.model.update_parameters(network)

    def state_dict(self) -> dict:
        """Everything that a resumed training needs."""
        return {"step": self.step, "model": self.model.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        """Continue from `state_dict`."""
        self.step = state["step"]
        self.model.load_state_dict(state["model"])

    def _average(self, averaged: Tensors, current: Tensors, _: Tensor | int) -> None:
        # torch passes the count on the device of the network; to read it there would wait for a GPU.
        share = min(1.0 - 1.0 / (1 + int(self.model.n_averaged)), self.decay)
        torch._foreach_lerp_(averaged, current, 1.0 - share)
