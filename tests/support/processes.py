"""Several processes that train together, and what they say."""

import os
import socket
import sys
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from support import training

from wsss.machine import distributed

#: no part of this depends on how the batch is shared out
FIXED: dict[str, Any] = {
    "norm": "fix",
    "dropout": 0.0,
    "blocks": {"erasing": {"choice": "balanced"}, "optimisation": {"accumulate": 2}},
}


def forked(said: Path, work: Callable[[], int]) -> BaseProcess:
    """A process that does the work and exits with what it gives; what it says goes to a file."""

    def begin() -> None:
        os.dup2(os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115 until the process ends
        sys.exit(work())

    process = get_context("fork").Process(target=begin)
    process.start()
    return process


def results(directory: Path) -> list[dict[str, torch.Tensor]]:
    """The weights of each of two processes."""
    return [torch.load(directory / f"{rank}-{training.RESULT}", weights_only=True) for rank in (0, 1)]


def in_two_processes(directory: Path, work: Callable[[int], Any]) -> list[Any]:
    """What work gives in each of two processes of a group."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1])}

    def begin(rank: int) -> None:
        os.environ.update(shared, RANK=str(rank))
        torch.set_num_threads(1)
        distributed.join()
        torch.save(work(rank), directory / f"{rank}.pt")
        distributed.leave()

    processes = [get_context("fork").Process(target=begin, args=(rank,)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [torch.load(directory / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
