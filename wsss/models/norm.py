"""Batch normalisation on running statistics, and parts of a network that do not learn.

Small batches give poor batch statistics, and a pretrained part that is to stay as it is must not drift
through its running averages either. Both are the same thing: modules that stay in evaluation mode and whose
parameters take no gradient, whatever `train()` asks of the network around them.
"""

from collections.abc import Iterable
from typing import Literal, Self

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

NormMode = Literal["normal", "fix"]


class Resting(nn.Module):
    """A module of which parts may rest: they stay in evaluation mode and take no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self._resting: list[nn.Module] = []

    def rest(self, modules: Iterable[nn.Module]) -> None:
        """Lay these modules to rest, each without its children: list them too where meant."""
        for module in modules:
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
            module.training = False
            self._resting.append(module)

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode; what rests stays in evaluation mode. Returns the module."""
        super().train(mode)
        for module in self._resting:
            module.training = False
        return self


def batch_norms(module: nn.Module) -> list[nn.Module]:
    """All batch normalisations of a network, timm's fused ones included. Group and layer norms are none."""
    return [part for part in module.modules() if isinstance(part, _BatchNorm)]
