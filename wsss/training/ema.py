"""An exponential moving average of a network's parameters, kept as a network of its own."""

import copy

import torch
from torch import nn


class MovingAverage:
    """`shadow ← d·shadow + (1-d)·network` every few optimiser steps; buffers are copied.

    decay: d's limit; early on `d = 1 - 1/(1+n)` after n updates, so that the start is forgotten. During the
    first `warmup` optimiser steps the shadow is a plain copy.
    """

    def __init__(self, network: nn.Module, *, decay: float, every: int, warmup: int) -> None:
        self.shadow = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay, self.every, self.warmup = decay, every, warmup
        self.updates = 0

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the network as it is after optimiser step `step` (from 1)."""
        if step % self.every:
            return
        share = 0.0
        if step > self.warmup:
            self.updates += 1
            share = min(1.0 - 1.0 / (1 + self.updates), self.decay)
        for average, newest in zip(self.shadow.parameters(), network.parameters(), strict=True):
            average.lerp_(newest, 1.0 - share)
        for copied, buffer in zip(self.shadow.buffers(), network.buffers(), strict=True):
            copied.copy_(buffer)

    def state_dict(self) -> dict:
        """Everything that a resumed training needs."""
        return {"shadow": self.shadow.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict) -> None:
        """Continue from `state_dict`."""
        self.shadow.load_state_dict(state["shadow"])
        self.updates = state["updates"]
