"""Data parallel training: what the processes have to agree on, and nothing else.

Not torch's `DistributedDataParallel`, compared 2026-11-25: it averages gradients in every backward pass;
tasks here back-propagate several networks in turn, accumulate, and need losses over the whole batch (C2AM's
ranks, the largest CAM value) with the gradient of a single process.

Each process computes its equal part of every batch; gradients are averaged once per optimizer step and all
processes get the buffers of rank 0, so that all have the same state at every optimizer step and any of them
may write the checkpoint. With one process every function here does nothing.

Raises PeerLost where another process has ended or does not answer, UserError where the backend fails.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from wsss.errors import PeerLost, UserError
from wsss.machine.launch import launched_rank

#: numbers from which on a tensor is sent without a copy; below, copies cost less than a message of its own
LARGE = 1 << 18
#: NCCL's flight recorder: operations to remember, and the beginning of the files, to which the rank is added
FLIGHT_RECORDER = {
    "TORCH_NCCL_TRACE_BUFFER_SIZE": "2000",
    "TORCH_NCCL_DUMP_ON_TIMEOUT": "1",
    "TORCH_NCCL_DEBUG_INFO_TEMP_FILE": "/tmp/wsss-nccl-rank-",
}
#: how long a process waits for the others
TIMEOUT = timedelta(minutes=10)
#: how gloo, NCCL and the store report that another process has ended or does not answer
_LOST = re.compile(r"(closed|reset) by peer|broken pipe|remote process exited|time(d ?)?out", re.IGNORECASE)


def join() -> None:
    """Join the group that the launcher's environment (RANK, WORLD_SIZE, MASTER_*) describes, if any."""
    if launched_rank() is not None and not dist.is_initialized():
        with _all_present():
            backend = "nccl" if torch.cuda.is_available() else "gloo"
            if backend == "nccl":
                # The last operations of each process, written to files where one times out.
                for name, value in FLIGHT_RECORDER.items():
                    os.environ.setdefault(name, value)
            dist.init_process_group(backend, timeout=TIMEOUT)


def leave() -> None:
    """Leave the group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes share the batch."""
    return dist.get_world_size() if dist.is_initialized() else 1


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes."""
    if world() > 1:
        for flat, parts in _flattened([p.grad for p in parameters if p.grad is not None]):
            _scatter(mean(flat), parts)


def share_buffers(module: torch.nn.Module) -> None:
    """Copy the buffers (running statistics) of rank 0 to all processes."""
    if world() > 1:
        for flat, parts in _flattened(list(module.buffers())):
            with _all_present():
                dist.broadcast(flat, 0)
            _scatter(flat, parts)


def mean(values: Tensor) -> Tensor:
    """The element-wise mean over the processes; overwrites `values`."""
    if world() > 1:
        total(values)
        values /= world()
    return values


def total(values: Tensor) -> Tensor:
    """The element-wise sum over the processes; overwrites `values`."""
    if world() > 1:
        with _all_present():
            dist.all_reduce(values)
    return values


def anywhere(flags: list[bool], device: torch.device) -> list[bool]:
    """Which of the flags are set in at least one process; the same in all."""
    if world() == 1:
        return flags
    raised = torch.tensor(flags, dtype=torch.int32, device=device)
    with _all_present():
        dist.all_reduce(raised, op=dist.ReduceOp.MAX)
    return [bool(flag) for flag in raised.tolist()]


def gathered(value: Tensor) -> Tensor:
    """Concatenate equally shaped tensors of all processes along the first axis; no gradient passes."""
    if world() == 1:
        return value
    parts = [torch.empty_like(value) for _ in range(world())]
    with _all_present():
        dist.all_gather(parts, value.contiguous())
    return torch.cat(parts)


def whole_batch(value: Tensor) -> Tensor:
    """The parts of a batch of all processes, concatenated, with their gradient.

    value: (B, …), equally shaped in all processes. A loss of the result has to be the same in all of them:
    then `average_gradients` leaves the gradient that one process with the whole batch would have.
    """
    if world() == 1:
        return value
    whole: Tensor = _WholeBatch.apply(value)
    return whole


def all_names(names: list[str]) -> list[str]:
    """The names of all processes, concatenated."""
    if world() == 1:
        return names
    parts: list[list[str]] = [[] for _ in range(world())]
    with _all_present():
        dist.all_gather_object(parts, names)
    return [name for part in parts for name in part]


def global_max(value: Tensor) -> Tensor:
    """The largest value of the whole batch, with the gradient that a single process would compute.

    value: a scalar, this process's largest. The gradients of all processes reach the process that has it.
    """
    if world() == 1:
        return value
    largest: Tensor = _GlobalMax.apply(value)
    return largest


class _GlobalMax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        largest = value.detach().clone()
        with _all_present():
            dist.all_reduce(largest, op=dist.ReduceOp.MAX)
            owner = (value == largest).to(value.dtype)
            owners = owner.clone()
            dist.all_reduce(owners)
        ctx.share = owner / owners
        return largest

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        with _all_present():
            dist.all_reduce(total)
        return total * ctx.share


class _WholeBatch(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        ctx.part = len(value)
        return gathered(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # The loss is the same in all processes: the sum of their gradients is this one, `world` times.
        return gradients[0][rank() * ctx.part : (rank() + 1) * ctx.part] * world()


@contextmanager
def _all_present() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if _LOST.search(str(error)):
            lost = f"another process of the training has ended or hangs ({error})"
            if dist.is_initialized() and dist.get_backend() == "nccl":
                lost += f"; last operations: {os.environ['TORCH_NCCL_DEBUG_INFO_TEMP_FILE']}{rank()}"
            raise PeerLost(lost) from error
        if isinstance(error, dist.DistError):
            raise UserError(
                f"the processes of this training cannot exchange data: {error}\n"
                "NCCL_DEBUG=INFO in the environment logs more; one process (machine.gpus: 1, nodes: 1) "
                "needs no communication."
            ) from error
        raise


def _flattened(tensors: list[Tensor]) -> Iterator[tuple[Tensor, list[Tensor]]]:
    """Messages of tensors: flat, and the views that each has to be copied to afterwards.

    A large tensor is a message of its own and is not copied; small ones of a dtype share one.
    """
    small: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        # In the order of memory, which is the same in all processes: a gradient has its parameter's layout.
        view = tensor.as_strided((tensor.numel(),), (1,))
        if tensor.numel() >= LARGE:
            yield view, []
        else:
            small.setdefault(tensor.dtype, []).append(view)
    for views in small.values():
        yield torch.cat(views), views


def _scatter(flat: Tensor, parts: list[Tensor]) -> None:
    if parts:
        torch._foreach_copy_(parts, list(flat.split([part.numel() for part in parts])))
