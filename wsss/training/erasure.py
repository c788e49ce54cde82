"""Which of an image's classes is erased in a step (OC-CSE's "class-specific" choice)."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wsss.config import ErasingConfig
from wsss.machine import distributed


class ErasureChoice:
    """Draws one present class per image by each image's own random number.

    `random` draws uniformly, `balanced` in inverse proportion to how often a class was chosen, `least_chosen`
    picks the class chosen least, `focal` draws in proportion to the recent error of the ordinary classifier
    on a class. All processes of a training draw for the whole batch, so that their counts are the same.
    """

    def __init__(self, settings: ErasingConfig, classes: int) -> None:
        self.settings = settings
        self.chosen = np.ones(classes)
        self.difficulty = np.ones(classes)

    def __call__(self, labels: Tensor, draws: Tensor) -> Tensor:
        """Choose: labels (B, C) in [0, 1], draws (B,) in [0, 1) → channels (B,) int64 on labels' device.

        A class is present above 0.5; where mixing left none above, the largest label is. Of an image without
        any class, one of all classes is drawn, and not counted.
        """
        whole = distributed.gathered(labels).float().cpu().numpy()
        numbers = distributed.gathered(draws).cpu().numpy()
        channels = [self._choose(label, number) for label, number in zip(whole, numbers, strict=True)]
        start = distributed.rank() * len(labels)
        return torch.tensor(channels[start : start + len(labels)], device=labels.device)

    def update(self, labels: Tensor, remaining: Tensor, logits: Tensor) -> None:
        """Update the difficulty of classes from the erased images; only `focal` uses it.

        labels: (B, C) of the whole images; remaining: (B, C) without the erased class; logits: (B, C).
        """
        if self.settings.choice != "focal":
            return
        p = torch.sigmoid(logits.detach().float())
        hit = remaining * p + (1 - remaining) * (1 - p)
        miss = distributed.gathered((1 - hit) ** self.settings.focal_gamma).double().cpu().numpy()
        counts = distributed.gathered(labels).double().cpu().numpy().sum(axis=0)
        seen = counts > 0
        momentum = self.settings.focal_momentum
        mean = miss.sum(axis=0)[seen] / counts[seen]
        self.difficulty[seen] = momentum * self.difficulty[seen] + (1 - momentum) * mean

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed training needs."""
        return {"chosen": self.chosen.tolist(), "difficulty": self.difficulty.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.chosen, self.difficulty = np.array(state["chosen"]), np.array(state["difficulty"])

    def _choose(self, label: np.ndarray, number: float) -> int:
        if not label.any():
            return int(number * len(label))
        present = label > 0.5 if (label > 0.5).any() else label == label.max()
        if self.settings.choice == "least_chosen":
            channel = int(np.where(present, self.chosen, np.inf).argmin())
        else:
            share = {"balanced": 1.0 / self.chosen, "focal": self.difficulty}.get(self.settings.choice)
            cumulative = np.cumsum(present if share is None else present * share)
            channel = int(np.searchsorted(cumulative, number * cumulative[-1], side="right"))
        self.chosen[channel] += 1
        return channel
