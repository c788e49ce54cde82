"""Sees what asks CUDA for devices, on a machine without any.

The CUDA runtime reads CUDA_VISIBLE_DEVICES once, at the first query: a claim after that has no effect.
"""

from collections.abc import Callable
from typing import Any

import torch

#: the functions of torch's by which a process comes to its devices, and what they say where there is none
QUERIES: tuple[tuple[Any, str, Any], ...] = (
    (torch.cuda, "is_available", False),
    (torch.cuda, "device_count", 0),
    (torch.cuda, "_lazy_init", None),
    (torch.accelerator, "is_available", False),
    (torch.accelerator, "device_count", 0),
)


def watch_queries(asked: Callable[[], Any], replace: Callable[[Any, str, Any], None] = setattr) -> None:
    """Call `asked` at every query; `replace` puts a function in the place of another."""

    def watched(answer: Any) -> Callable[..., Any]:
        def query(*_: Any, **__: Any) -> Any:
            asked()
            return answer

        return query

    for module, name, answer in QUERIES:
        replace(module, name, watched(answer))
