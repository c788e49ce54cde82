"""What reaches a network: samples from data-loading processes, their device, the random numbers of a step."""

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wsss.machine.signals import outlive_signals, started


@contextmanager
def loading(samples: Dataset, workers: int, **options: Any) -> Iterator[Iterator[Any]]:
    """Yield an iterator over what torch's `DataLoader` loads; its processes end with the block.

    Until then they survive signals to the whole job, so that a training can save itself. workers: processes
    that load, 0 for this one. options: others of the `DataLoader`.
    """
    # Where an exception keeps the loader alive, its processes wait for this to let themselves be ended.
    over = multiprocessing.Event()
    on_start = partial(outlive_signals, over)
    loader = DataLoader(samples, num_workers=workers, worker_init_fn=on_start, **options)
    try:
        yield started(loader)
    finally:
        over.set()


def to_device(value: Any, device: torch.device) -> Any:
    """Move the tensors of a batch: a mapping of tensors, of lists of tensors, and of what stays as it is."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, Mapping):
        return {key: to_device(item, device) for key, item in value.items()}
    return [to_device(item, device) for item in value] if isinstance(value, list) else value


def seed_torch(key: Sequence[int], device: torch.device) -> None:
    """Seed torch's generators by several numbers; with a seed per step, dropout resumes exactly."""
    words = np.random.SeedSequence(key).generate_state(2)
    seed = int(words[0]) << 32 | int(words[1])
    # `torch.manual_seed` would format three stack traces, for devices that are not in use.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
