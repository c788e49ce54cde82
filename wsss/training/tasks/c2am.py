"""C2AM (Xie et al., CVPR 2022) and C2AM-H (David et al., 2024): foreground and background by contrast."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from wsss import losses
from wsss.config import C2amConfig
from wsss.machine import distributed
from wsss.models import C2AM
from wsss.training.task import Batch, Objective, StepInfo, Task, Trainable


class C2amTask(Task):
    """Foreground features attract each other, as do background ones, and the two repel; hints set polarity.

    network: with an activation whose sigmoid is the foreground's weight. settings: the section
    `saliency.c2am`. hints: whether samples have hints of the CAMs. negatives: ids of images without an
    object: these are background everywhere, and have no foreground features. Without hints and negatives, the
    losses are symmetric in foreground and background: see `flip`.
    """

    result = "c2am"
    needs_whole_batch = True

    def __init__(
        self,
        network: C2AM,
        settings: C2amConfig,
        *,
        hints: bool,
        negatives: frozenset[str] = frozenset(),
    ) -> None:
        self.network, self.settings, self.hints = network, settings, hints
        self.negatives = negatives
        norm = settings.optimisation.max_grad_norm
        self.trainables = {"c2am": Trainable(network, network.head_modules(), max_grad_norm=norm)}
        #: sum over the last epoch's steps of the border's mean foreground weight, and their number
        self.border, self.border_steps = 0.0, 0

    @property
    def flip(self) -> bool:
        """Whether the trained activation is the background, which is assumed at the images' borders.

        So it is where the border's foreground weight is above one half on average over the last epoch;
        upstream checks one batch, of the first epoch. Never with hints or negatives.
        """
        return self.border_steps > 0 and self.border / self.border_steps > 0.5

    def objectives(self, batch: Batch, info: StepInfo) -> Iterator[Objective]:
        """One objective, over the whole batch of all processes: ranks and means are within it."""
        foreground, background, activation = map(distributed.whole_batch, self.network(batch["image"]))
        alpha = self.settings.rank_alpha
        objective = Objective("c2am")
        if self.negatives:
            here = [image in self.negatives for image in batch["id"]]
            empty = distributed.gathered(torch.tensor(here, device=activation.device))
            objective.add("negatives", losses.empty_loss(activation, empty))
            foreground = foreground[~empty]
        objective.add("foreground", losses.sim_max(foreground, alpha))
        objective.add("background", losses.sim_max(background, alpha))
        objective.add("contrast", losses.sim_min(background, foreground))
        if self.hints:
            self._add_hints(objective, activation, batch["hint"])
        elif not self.negatives and info.step >= info.steps - info.steps // self.settings.optimisation.epochs:
            self.border += border_mean(activation.detach().float().sigmoid())
            self.border_steps += 1
        yield objective

    def state_dict(self) -> dict[str, Any]:
        """The border's foreground weight so far."""
        return {"border": self.border, "border_steps": self.border_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.border, self.border_steps = state["border"], state["border_steps"]

    def _add_hints(self, objective: Objective, activation: Tensor, hints: Tensor) -> None:
        keys = self.settings.hints
        small = losses.resize_hints(hints, (activation.shape[-2], activation.shape[-1]))
        loss = losses.hint_loss(
            activation,
            distributed.gathered(small),
            fg_threshold=keys.fg_threshold,
            label_smoothing=keys.label_smoothing,
        )
        objective.add("hints", loss, keys.weight)


def border_mean(weight: Tensor) -> float:
    """Mean of a map (B, 1, h, w) over its outermost pixels."""
    inner = weight[..., 1:-1, 1:-1]
    pixels = weight.numel() - inner.numel()
    return float((weight.sum() - inner.sum()) / pixels)
