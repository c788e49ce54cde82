"""A pretended GPU: CUDA tensors that have a shape, a type and a device, and no numbers.

Networks, trainings and inference run on them as on a GPU: a tensor that was left on the CPU, a type that
autocast does not take and a `.numpy()` of a GPU's tensor raise the errors of torch. Numbers, kernels, drivers
and memory that runs out are not pretended. `wsss.plan.guard.load_guard` has to be called first.

Built on torch's `FakeTensorMode`; what its tensors refuse (`item`, `tolist`, `numpy`) gives zeros here.
"""

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar
from unittest.mock import patch

import numpy as np
import torch
import torch.amp.grad_scaler
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from wsss.losses import batched_pairs

Net = TypeVar("Net", bound=nn.Module)

GPU = torch.device("cuda", 0)
_TO, _TENSOR = nn.Module.to, torch.tensor
_ATEN = torch.ops.aten
#: what reads a number, and what may copy a tensor; with inference mode on, the composite ones arrive as such
_SCALARS = (_ATEN._local_scalar_dense, _ATEN.item, _ATEN.is_nonzero)
_COPIES = (_ATEN._to_copy, _ATEN.to)


class Waits(TorchDispatchMode):
    """Counts where the host waits for the GPU: a number that is read, a copy to or from memory of the host.

    counts: by `FILE:LINE` of this package, or `torch`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def note(self) -> None:
        """A wait, at the line of this package that is being executed."""
        frames = (frame for frame in reversed(traceback.extract_stack()) if "/wsss/" in frame.filename)
        frame = next((frame for frame in frames if "/wsss/plan/" not in frame.filename), None)
        self.counts[f"{frame.filename.split('/wsss/')[-1]}:{frame.lineno}" if frame else "torch"] += 1

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket in _SCALARS:
            if args[0].device.type == "cuda":
                self.note()
            # True, as most questions are whether all is well: whether values are finite, and inside a range
            boolean = args[0].dtype == torch.bool or func.overloadpacket is _ATEN.is_nonzero
            return True if boolean else 0.0 if args[0].dtype.is_floating_point else 0
        if func is _ATEN.nonzero.default:
            self.note()
            return args[0].new_empty((args[0].numel(), args[0].ndim), dtype=torch.int64)  # all of them
        result = func(*args, **kwargs)
        if func.overloadpacket in _COPIES and result.device.type != args[0].device.type:
            names = [argument.name for argument in func._schema.arguments]
            if not {**dict(zip(names, args, strict=False)), **kwargs}.get("non_blocking"):
                self.note()
        return result


@contextmanager
def pretended_gpu() -> Iterator[Waits]:
    """While the block runs, tensors are pretended; those made on `GPU` lie on a GPU."""
    waits = Waits()

    def tolist(tensor: Tensor) -> Any:
        if tensor.device.type == "cuda":
            waits.note()
        return np.zeros(tuple(tensor.shape), int if not tensor.is_floating_point() else float).tolist()

    def tensor(data: Any, *, device: Any = None, **options: Any) -> Tensor:
        made = _TENSOR(data, **options)
        return made if device is None else made.to(device)

    with ExitStack() as stack:
        for owner, name, new in (
            (FakeTensor, "tolist", tolist),
            (FakeTensor, "numpy", _numpy),
            (nn.Module, "to", _module_to),
            (torch, "tensor", tensor),
            (torch.cuda, "manual_seed", lambda seed: None),
            (torch.cuda, "current_device", lambda: 0),
            (torch.cuda, "is_bf16_supported", lambda *_, **__: True),
            (torch.cuda.amp.common, "amp_definitely_not_available", lambda: False),
            (torch.amp.grad_scaler.torch.cuda.amp.common, "amp_definitely_not_available", lambda: False),
        ):
            stack.enter_context(patch.object(owner, name, new, create=True))
        stack.callback(batched_pairs.paths.cache_clear)  # its tables belong to this block's mode
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        stack.enter_context(waits)
        yield waits


def is_pretended() -> bool:
    """Whether a block of `pretended_gpu` runs."""
    return torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE) is not None


def pretended(network: Net) -> Net:
    """The network, changed: its parameters and buffers have no numbers any more, and lie on the CPU still.

    To be called inside `pretended_gpu`, and before anything keeps a parameter of it.
    """
    mode = torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE)
    done: dict[int, Any] = {}
    for module in network.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None and id(parameter) not in done:
                fake = mode.from_tensor(parameter.detach(), static_shapes=True)
                done[id(parameter)] = nn.Parameter(fake, requires_grad=parameter.requires_grad)
            if parameter is not None:
                module._parameters[name] = done[id(parameter)]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = mode.from_tensor(buffer, static_shapes=True)
    return network


def _numpy(tensor: Tensor, *_: Any, **__: Any) -> np.ndarray:
    if tensor.device.type != "cpu":
        raise TypeError(f"can't convert {tensor.device} device type tensor to numpy")
    if tensor.dtype == torch.bfloat16:
        raise TypeError("Got unsupported ScalarType BFloat16")
    if tensor.requires_grad:
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead"
        )
    return np.zeros(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def _module_to(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
    """As `nn.Module.to`, which cannot move pretended parameters: the same objects, on another device."""
    device = next((arg for arg in args if isinstance(arg, str | torch.device)), kwargs.get("device"))
    if device is None:
        return _TO(module, *args, **kwargs)
    for tensor in [*module.parameters(), *module.buffers()]:
        assert isinstance(tensor, FakeTensor), "a network that is not `pretended`"
        tensor.fake_device = torch.device(device)
    return module
