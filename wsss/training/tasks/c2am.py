"""C2AM (Xie et al., CVPR 2022) and C2AM-H (David et al., 2024): what is object, by contrast."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from wsss import losses
from wsss.config import C2amConfig
from wsss.machine import distributed
from wsss.models import C2AM
from wsss.training.task import Batch, Moment, Objective, Player, Task


class C2amTask(Task):
    """Features of one kind attract each other, those of the two kinds repel; hints say which is the object.

    network: with an activation whose sigmoid is the foreground's weight. settings: the section
    `saliency.c2am`. hints: whether samples come with hints of the CAMs. Without, the two kinds are alike to
    the losses, and either may become the foreground: `flip` tells.
    """

    result = "c2am"

    def __init__(self, network: C2AM, settings: C2amConfig, *, hints: bool) -> None:
        self.network, self.settings, self.hints = network, settings, hints
        norm = settings.optimisation.max_grad_norm
        self.players = {"c2am": Player(network, network.head_modules(), max_grad_norm=norm)}
        #: sum over the last epoch's steps of the border's mean foreground weight, and their number
        self.border, self.looks = 0.0, 0

    @property
    def flip(self) -> bool:
        """Whether the trained activation shows the background: it is what reaches the images' borders.

        The border's foreground weight is above one half on average, over the last epoch: upstream asks the
        same of one batch, of the first. With hints it is never asked.
        """
        return self.looks > 0 and self.border / self.looks > 0.5

    def objectives(self, batch: Batch, moment: Moment) -> Iterator[Objective]:
        """One objective, over the whole batch of all processes: ranks and means are within it."""
        foreground, background, activation = map(distributed.whole_batch, self.network(batch["image"]))
        alpha = self.settings.rank_alpha
        objective = Objective("c2am")
        objective.add("foreground", losses.sim_max(foreground, alpha))
        objective.add("background", losses.sim_max(background, alpha))
        objective.add("contrast", losses.sim_min(background, foreground))
        if self.hints:
            self._add_hints(objective, activation, batch["hint"])
        elif moment.step >= moment.steps - moment.steps // self.settings.optimisation.epochs:
            self.border += border_mean(activation.detach().float().sigmoid())
            self.looks += 1
        yield objective

    def state_dict(self) -> dict[str, Any]:
        """What was seen of the border."""
        return {"border": self.border, "looks": self.looks}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.border, self.looks = state["border"], state["looks"]

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
