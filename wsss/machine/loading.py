"""What reaches a network: samples from data-loading processes, their device, the random numbers of a step."""

import atexit
import multiprocessing
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate, default_convert

from wsss.errors import UserError
from wsss.machine.signals import outlive_signals, started

#: where Linux keeps the memory that processes share
SHARED_MEMORY = "/dev/shm"
#: how torch reports that it is full: where a tensor is moved there, or a process has died of it
_FULL = re.compile(r"shared memory\(shm\)|workers are out of shared memory")


@contextmanager
def loading(
    samples: Dataset, workers: int, collate: Callable[[Any], Any] | None = None, **options: Any
) -> Iterator[Iterator[Any]]:
    """Yield an iterator over what torch's `DataLoader` loads; its processes end with the block.

    Until then they survive signals to the whole job, so that a training can save itself. workers: processes
    that load, 0 for this one. collate, options: as of the `DataLoader`. Raises UserError when the shared
    memory is full through which processes pass what they load.
    """
    # Where an exception keeps the loader alive, its processes wait for this to let themselves be ended, at
    # the end of this block or, where a generator was not closed, of this process.
    over = multiprocessing.Event()
    atexit.register(over.set)
    if collate is None:
        collate = default_collate if options.get("batch_size", 1) is not None else default_convert
    if workers:
        options |= {"worker_init_fn": partial(outlive_signals, over)}
        collate = partial(_shared, collate)
    loader = DataLoader(samples, num_workers=workers, collate_fn=collate, **options)
    try:
        yield started(loader)
    except (RuntimeError, OSError) as error:
        if _FULL.search(str(error)):
            raise UserError(_full()) from None
        raise
    finally:
        over.set()
        atexit.unregister(over.set)


def to_device(value: Any, device: torch.device) -> Any:
    """Move the tensors of a batch: a mapping of tensors, of lists of tensors, and of what stays as it is."""
    return _map_tensors(value, lambda tensor: tensor.to(device, non_blocking=True))


def seed_torch(key: Sequence[int], device: torch.device) -> None:
    """Seed torch's generators by several numbers; with a seed per step, dropout resumes exactly."""
    words = np.random.SeedSequence(key).generate_state(2)
    seed = int(words[0]) << 32 | int(words[1])
    # `torch.manual_seed` would format three stack traces, for devices that are not in use.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def _shared(collate: Callable[[Any], Any], items: Any) -> Any:
    """What is collated, in shared memory already: where torch moves it there later, an error is lost."""
    return _map_tensors(collate(items), Tensor.share_memory_)


def _map_tensors(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, Mapping):
        return {key: _map_tensors(item, function) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_map_tensors(item, function) for item in value)
    return value


def _full() -> str:
    try:
        size = f" of {shutil.disk_usage(SHARED_MEMORY).total / 2**20:.0f} MB"
    except OSError:
        size = ""
    return (
        f"shared memory ({SHARED_MEMORY}){size} is full; data-loading processes pass images through it. Set "
        "machine.workers: 0, or give a container more of it (docker run --shm-size=8g)"
    )
