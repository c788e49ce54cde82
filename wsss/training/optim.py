"""The optimizer of a network: four parameter groups and a polynomial decay.

Fresh layers have ten times the learning rate of pretrained ones, and biases twice that of weights and no
weight decay: the grouping of the published P-NOC code, after Puzzle-CAM and IRN.
"""

from collections.abc import Iterable

import torch
from torch import nn

from wsss.config import OptimizationConfig

#: key of a parameter group: its learning rate before the decay
BASE_RATE = "base_lr"


def parameter_groups(
    network: nn.Module, fresh: Iterable[nn.Module], settings: OptimizationConfig, lr_mult: float = 1.0
) -> list[dict]:
    """Group the trainable parameters: learning rates ×1 and, of biases, ×2; of fresh layers ×10 and ×20.

    A parameter whose name contains "weight" is a weight and decays; anything else is a bias and, but for
    `bias_decay`, does not. So the scale of a norm decays and its shift does not, as published. fresh: modules
    trained from scratch.
    """
    fresh_ids = {id(parameter) for module in fresh for parameter in module.parameters()}
    members: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            members.setdefault((id(parameter) in fresh_ids, "weight" in name), []).append(parameter)
    groups = []
    for (is_fresh, is_weight), parameters in sorted(members.items(), reverse=True):
        rate = settings.lr * lr_mult
        rate *= settings.head_lr_mult if is_fresh else 1.0
        rate *= 1.0 if is_weight else settings.bias_lr_mult
        decay = settings.weight_decay if is_weight or settings.bias_decay else 0.0
        groups.append({"params": parameters, "lr": rate, BASE_RATE: rate, "weight_decay": decay})
    return groups


def make_optimizer(groups: list[dict], settings: OptimizationConfig) -> torch.optim.Optimizer:
    """`sgd` has no momentum, as published; `momentum` is SGD 0.9 with Nesterov; `adam`, `adamw` as in torch.

    Adam adds the weight decay to the gradient, AdamW keeps the two apart.
    """
    if settings.optimizer == "adam":
        # Of PoolNet's 45 to 70 million parameters, an update takes an eighth of the time on a CPU.
        return torch.optim.Adam(groups, fused=True)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups)
    if settings.optimizer == "momentum":
        return torch.optim.SGD(groups, momentum=0.9, nesterov=True)
    return torch.optim.SGD(groups)


def poly(step: int, steps: int, power: float) -> float:
    """Share of the base learning rate at an optimizer step, counted from 0: `(1 - step/steps)^power`.

    Not torch's `PolynomialLR` (compared 2026-11-25, torch 2.13): it multiplies the previous rate by a ratio
    at every step, which rounds differently from the published closed form in nearly all of 4957 steps.
    """
    return (1.0 - min(step, steps) / steps) ** power


def decay(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Set every group's rate to this share of its base rate."""
    for group in optimizer.param_groups:
        group["lr"] = group[BASE_RATE] * share
