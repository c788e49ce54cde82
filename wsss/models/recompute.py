"""Activations that are not kept but computed again in the backward pass, block by block of a backbone.

A block then keeps its input alone, for one more forward pass per step (Chen et al., "Training deep nets with
sublinear memory cost", 2016).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from wsss.models.backbone import Backbone

#: a module with so many layers with weights is a block
LAYERS = 2


def recompute_blocks(network: nn.Module) -> int:
    """Let the blocks of a network's backbones recompute their activations while they train; returns how many.

    Gradients and running statistics stay the same. A block in evaluation mode, or without gradients, runs as
    before. Copies of the network made afterwards would share its blocks.
    """
    found = [
        block
        for backbone in network.modules()
        if isinstance(backbone, Backbone)
        for block in blocks(backbone.net)
    ]
    for block in found:
        block.forward = _recomputed(block, block.forward)
    return len(found)


def blocks(module: nn.Module) -> Iterator[nn.Module]:
    """The blocks of a network of timm, in order: inside of its containers, what has several layers."""
    for child in module.children():
        if isinstance(child, nn.Sequential | nn.ModuleList) or hasattr(child, "blocks"):
            yield from blocks(child)
        elif sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in child.modules()) >= LAYERS:
            yield child


def _recomputed(block: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _no_statistics(block)

    def run(*arguments: Any, **options: Any) -> Any:
        if not block.training or not torch.is_grad_enabled():
            return forward(*arguments, **options)
        return checkpoint(forward, *arguments, use_reentrant=False, context_fn=contexts, **options)

    return run


@contextmanager
def _no_statistics(block: nn.Module) -> Iterator[None]:
    """Batch norm does not average in a second time what it has seen already."""
    norms = [part for part in block.modules() if isinstance(part, _BatchNorm) and part.training]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        # Not `track_running_stats`: autograd would save other tensors than in the first pass.
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, kept, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, batches
