"""Which epoch's network a training keeps: the best on images that it does not learn from."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from wsss.progress import LOGGER


class Selection:
    """Looks at the network after epochs and keeps the best.

    score: the values of a network, by name, of images that it does not learn from. by: the one of them that
    counts, the greater the better; of equal ones the first is kept. every: epochs between two looks; the last
    epoch is always looked at.
    """

    def __init__(
        self, score: Callable[[nn.Module], dict[str, float]], *, by: str = "val/miou", every: int = 1
    ) -> None:
        self.score, self.by, self.every = score, by, every
        self.seen = self.epoch = 0
        self.best = float("-inf")
        self.kept: dict[str, Tensor] = {}

    def due(self, epoch: int, epochs: int) -> bool:
        """Whether to look after so many of all epochs: each one once."""
        return epoch > self.seen and (epoch % self.every == 0 or epoch == epochs)

    @torch.no_grad()
    def look(self, network: nn.Module, epoch: int) -> dict[str, float]:
        """Score a network, which is in evaluation mode, after an epoch (from 1); returns its values."""
        values = self.score(network)
        self.seen = epoch
        if values[self.by] > self.best or not self.kept:
            self.best, self.epoch = values[self.by], epoch
            self.kept = {name: tensor.to("cpu", copy=True) for name, tensor in network.state_dict().items()}
        LOGGER.info(
            "epoch %d: %s %.2f; best so far %.2f, of epoch %d",
            *(epoch, self.by, values[self.by], self.best, self.epoch),
        )
        return values

    def restore(self, network: nn.Module) -> None:
        """Give the network the weights of the best epoch."""
        network.load_state_dict(self.kept)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed training needs."""
        return {"seen": self.seen, "epoch": self.epoch, "best": self.best, "kept": self.kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.seen, self.epoch, self.best, self.kept = (
            state[name] for name in ("seen", "epoch", "best", "kept")
        )
