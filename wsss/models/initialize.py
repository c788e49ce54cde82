"""Initialization of layers without pretrained weights."""

from torch import nn


def initialize_head(head: nn.Module) -> None:
    """Kaiming-normal convolutions (fan-in; He et al. 2015), norms at weight 1, all biases 0, in place."""
    for part in head.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
        elif isinstance(part, (nn.BatchNorm2d, nn.GroupNorm)):
            nn.init.ones_(part.weight)
        else:
            continue
        if part.bias is not None:
            nn.init.zeros_(part.bias)
