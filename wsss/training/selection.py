"""Which epoch's network a training keeps: the best on images that it is not trained on."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from wsss.progress import LOGGER


class Selection:
    """Validates the network after epochs and keeps the best.

    score: the values of a network, by name, on images that it is not trained on. by: the one of them that
    counts, the greater the better; of equal ones the first is kept. Any number is better than NaN, and while
    there is none, the newest is kept. every: epochs between two validations; the last epoch is always
    validated.
    """

    def __init__(
        self, score: Callable[[nn.Module], dict[str, float]], *, by: str = "val/miou", every: int = 1
    ) -> None:
        self.score, self.by, self.every = score, by, every
        self.validated = self.epoch = 0
        self.best = math.nan
        self.weights: dict[str, Tensor] = {}

    def due(self, epoch: int, epochs: int) -> bool:
        """Whether to validate after so many of all epochs: each one once."""
        return epoch > self.validated and (epoch % self.every == 0 or epoch == epochs)

    @torch.no_grad()
    def validate(self, network: nn.Module, epoch: int) -> dict[str, float]:
        """Score a network, which is in evaluation mode, after an epoch (from 1); returns its values."""
        values = self.score(network)
        value, self.validated = values[self.by], epoch
        if value > self.best or math.isnan(self.best):
            self.best, self.epoch = value, epoch
            self.weights = {
                name: tensor.to("cpu", copy=True) for name, tensor in network.state_dict().items()
            }
        LOGGER.info(
            "epoch %d: %s %.2f; best so far %.2f, of epoch %d", epoch, self.by, value, self.best, self.epoch
        )
        return values

    def restore(self, network: nn.Module) -> None:
        """Load the weights of the best epoch into the network."""
        network.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed training needs."""
        return {
            "validated": self.validated,
            "epoch": self.epoch,
            "best": self.best,
            "weights": self.weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.validated, self.epoch = state["validated"], state["epoch"]
        self.best, self.weights = state["best"], state["weights"]
