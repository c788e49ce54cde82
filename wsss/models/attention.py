"""Attention weights of timm's vision transformers, which their fused attention does not compute."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from wsss.errors import UserError


@contextmanager
def attention_weights(blocks: Sequence[nn.Module], prefix_tokens: int) -> Iterator[list[Tensor]]:
    """Collect the attention of `blocks` between patches, mean over heads, while the context lasts.

    blocks: timm transformer blocks with an `attn` of its own kind. prefix_tokens: class and register tokens,
    whose rows and columns are dropped after the softmax.
    Yields a list that grows by one (B, N, N) tensor for every block that runs, rows being queries. The
    weights carry no gradient. Attention runs unfused in the meantime, with the same result up to rounding.
    Raises UserError for blocks that hold no single attention.
    """
    if not all(hasattr(getattr(block, "attn", None), "attn_drop") for block in blocks):
        raise UserError("attention: the blocks of this transformer have no attention that can be read")
    collected: list[Tensor] = []

    def collect(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
        weights: Tensor = arguments[0].detach()
        collected.append(weights[..., prefix_tokens:, prefix_tokens:].mean(1))

    layers: list[Any] = [block.attn for block in blocks]
    fused = [layer.fused_attn for layer in layers]
    # its dropout is where a timm attention layer hands over the weights
    hooks = [layer.attn_drop.register_forward_pre_hook(collect) for layer in layers]
    try:
        for layer in layers:
            layer.fused_attn = False
        yield collected
    finally:
        for layer, was, hook in zip(layers, fused, hooks, strict=True):
            layer.fused_attn = was
            hook.remove()
