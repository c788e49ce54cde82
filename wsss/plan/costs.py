"""What a computation on a pretended GPU takes: memory at its peak, traffic and arithmetic.

Counted are tensors that are alive at once, and per operation the bytes of all tensors that it reads and
writes, as without fusion. Not counted: what libraries take for themselves, and fragments of memory.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

#: torch's key of operations that consist of others
COMPOSITE = "CompositeImplicitAutograd"
#: operations that move nothing, beside views
FREE = ("detach", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "set_", "resize_")


@dataclass(frozen=True)
class Costs:
    """Of a step, or of a stack of images, as `fixed + image · images`.

    memory, traffic: bytes, at the peak and read and written; memory_least: of the smallest count. flops:
    operations per image in `half` and `single` precision; those that do not depend on the images are left
    out, as there are hardly any. kernels: operations that a GPU starts.
    """

    memory_least: float
    memory_fixed: float
    memory_image: float
    traffic_fixed: float
    traffic_image: float
    flops: dict[str, float]
    kernels: int

    def memory(self, images: float) -> float:
        """Bytes at the peak."""
        return max(self.memory_least, self.memory_fixed + self.memory_image * images)

    def traffic(self, images: float) -> float:
        """Bytes read and written."""
        return self.traffic_fixed + self.traffic_image * images

    def as_json(self) -> dict[str, Any]:
        """Rounded to whole numbers, for a file."""
        rounded = {key: round(value) for key, value in asdict(self).items() if key != "flops"}
        return {**rounded, "flops": {kind: round(count) for kind, count in self.flops.items()}}


class Counted(TorchDispatchMode):
    """Counts while it is entered. networks: whose tensors are alive all the time."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        tensors = [tensor for net in networks for tensor in (*net.parameters(), *net.buffers())]
        kept = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in tensors}
        self.alive: dict[int, int] = {}
        self.fixed = frozenset(kept)
        self.now = self.peak = sum(kept.values())
        self.traffic = self.kernels = 0
        self.flops: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.namespace == "aten" and torch._C._dispatch_has_kernel_for_dispatch_key(
            func.name(), COMPOSITE
        ):
            with self:
                # In inference mode operations arrive that consist of others.
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        made = [leaf for leaf in tree_leaves(result) if _on_gpu(leaf)]
        for tensor in made:
            self._appeared(tensor)
        packet = func.overloadpacket
        if made and not func.is_view and packet.__name__ not in FREE:
            read = {id(leaf): leaf for leaf in tree_leaves((args, kwargs)) if _on_gpu(leaf)}
            self.traffic += sum(leaf.numel() * leaf.element_size() for leaf in (*read.values(), *made))
            self.kernels += 1
            if packet in flop_registry:
                kind = "half" if args[0].element_size() == 2 else "single"
                self.flops[kind] += flop_registry[packet](*args, **kwargs, out_val=result)
        return result

    def _appeared(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.alive or key in self.fixed:
            return
        self.alive[key] = storage.nbytes()
        self.now += self.alive[key]
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._vanished, key)

    def _vanished(self, key: int) -> None:
        self.now -= self.alive.pop(key, 0)


def costs(networks: Iterable[nn.Module], run: Callable[[int], object], few: int) -> Costs:
    """From two runs, with `few` images and with twice as many. run: computes with a number of images."""
    counted = Counted(networks)
    totals = [{"memory": 0, "traffic": 0, **counted.flops}]
    for images in (few, 2 * few):
        counted.peak = counted.now
        with counted:
            run(images)
        totals.append({"memory": counted.peak, "traffic": counted.traffic, **counted.flops})
        kernels = counted.kernels // len(totals[1:])
    _, first, both = totals
    two = {key: value - (first.get(key, 0) if key != "memory" else 0) for key, value in both.items()}
    image = {key: (two[key] - first.get(key, 0)) / few for key in two}
    fixed = {key: 2.0 * first[key] - two[key] for key in ("memory", "traffic")}
    flops = {key: value for key, value in image.items() if key not in fixed}
    least = float(first["memory"])
    return Costs(least, fixed["memory"], image["memory"], fixed["traffic"], image["traffic"], flops, kernels)


def _on_gpu(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.device.type == "cuda"
