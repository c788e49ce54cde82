"""Batch normalization on running statistics, and frozen parts of a network.

Small batches give poor batch statistics, and the running averages of a frozen part must not drift either.
Both need modules that stay in evaluation mode and whose parameters get no gradient, even where `train()` is
called on the network around them.
"""

from collections.abc import Iterable
from typing import Literal, Self

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

NormMode = Literal["normal", "fix"]


class Freezable(nn.Module):
    """A module of which parts may be frozen: they stay in evaluation mode and get no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self._frozen_modules: list[nn.Module] = []

    def freeze(self, modules: Iterable[nn.Module]) -> None:
        """Freeze these modules, each without its children unless they are listed, too."""
        for module in modules:
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
            module.training = False
            self._frozen_modules.append(module)

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode; frozen parts stay in evaluation mode. Returns the module."""
        super().train(mode)
        for module in self._frozen_modules:
            module.training = False
        return self


def batch_norms(module: nn.Module) -> list[nn.Module]:
    """All batch normalizations of a network, including timm's fused ones; no group and layer norms."""
    return [part for part in module.modules() if isinstance(part, _BatchNorm)]
