"""Layer fusion for inference on a CPU: the same function in fewer and faster steps.

In evaluation mode a batch normalization is an affine map: it is folded into the weights of the preceding
convolution, and the rectifier behind it into the convolution's loop. oneDNN computes all convolutions; with
one thread, torch alone uses a slower kernel for those of 1 x 1.
"""

import copy
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_weights

Model = TypeVar("Model", bound=nn.Module)

#: side of the input on which the fused network is compared with the original
PROBE = 64
#: largest difference, relative to the largest value
TOLERANCE = 1e-4
#: oneDNN's names of rectifiers, and their parameters
RECTIFIERS: dict[type[nn.Module], tuple[str, list[float]]] = {
    nn.Identity: ("none", []),
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
}


def fused(model: Model, forward: Callable[[Model, Tensor], Tensor]) -> Model:
    """A copy of a model that computes the same maps faster: float32 on a CPU, without gradients.

    forward: computes the maps of a normalized batch (B, 3, h, w). Returns the model itself without oneDNN,
    and when the copy's maps of a test input differ, as they can where a convolution's output is read twice.
    """
    if not torch.backends.mkldnn.is_available():
        return model
    faster = copy.deepcopy(model).eval()
    probe = torch.randn(1, 3, PROBE, PROBE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = forward(model, probe)
        following = _only_consumers(faster, lambda: forward(faster, probe))
        for convolution in [part for part in faster.modules() if isinstance(part, nn.Conv2d)]:
            _fuse(faster, convolution, following)
    with torch.inference_mode():
        error = (forward(faster, probe) - expected).abs().max()
    return faster if error <= TOLERANCE * expected.abs().max() else model


class FusedConvolution(nn.Module):
    """A convolution and the rectifier behind it, one of `RECTIFIERS`, computed by oneDNN."""

    def __init__(self, convolution: nn.Conv2d, rectifier: nn.Module) -> None:
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias
        self.settings = (
            convolution.padding,
            convolution.stride,
            convolution.dilation,
            convolution.groups,
            *RECTIFIERS[type(rectifier)],
            None,
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C', h', w')."""
        made: Tensor = torch.ops.mkldnn._convolution_pointwise(x, self.weight, self.bias, *self.settings)
        return made


def _only_consumers(model: nn.Module, run: Callable[[], object]) -> dict[nn.Module, nn.Module]:
    """Each layer's only consumer, if it reads the output unmodified.

    Layers are convolutions, normalizations and rectifiers. run: calls the model. Modules that are called more
    than once are left out.
    """
    producer: dict[int, tuple[nn.Module, int]] = {}
    consumers: dict[nn.Module, list[nn.Module]] = defaultdict(list)
    calls: Counter[nn.Module] = Counter()
    kept: list[Tensor] = []  # keeps the ids of tensors unique

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        calls[module] += 1
        source, version = producer.get(id(inputs[0]), (None, 0))
        # A rectifier in place has changed its input by now; any other change (a sum in place) came before.
        if source is not None and inputs[0]._version - version == (output is inputs[0]):
            consumers[source].append(module)
        producer[id(output)] = module, output._version
        kept.extend((inputs[0], output))

    kinds = (nn.Conv2d, _BatchNorm, nn.ReLU, nn.ReLU6)
    hooks = [part.register_forward_hook(note) for part in model.modules() if isinstance(part, kinds)]
    run()
    for hook in hooks:
        hook.remove()
    return {
        source: reading[0]
        for source, reading in consumers.items()
        if len(reading) == 1 and calls[source] == calls[reading[0]] == 1
    }


def _fuse(model: nn.Module, convolution: nn.Conv2d, following: dict[nn.Module, nn.Module]) -> None:
    """Fuse the layers that follow a convolution into it, as far as possible."""
    last: nn.Module = convolution
    rectifier: nn.Module = nn.Identity()
    norm = following.get(convolution)
    if isinstance(norm, _BatchNorm):
        _fold(convolution, norm)
        # timm's normalization layers include the rectifier
        rectifier, last = getattr(norm, "act", rectifier), norm
        _replace(model, norm, rectifier)
    if isinstance(rectifier, nn.Identity) and type(following.get(last)) in RECTIFIERS:
        rectifier = following[last]
    # A subclass pads differently (timm's `Conv2dSame`) and is kept.
    if (
        type(convolution) is nn.Conv2d
        and convolution.padding_mode == "zeros"
        and type(rectifier) in RECTIFIERS
    ):
        _replace(model, rectifier, nn.Identity())
        _replace(model, convolution, FusedConvolution(convolution, rectifier))


def _fold(convolution: nn.Conv2d, norm: _BatchNorm) -> None:
    """Fold the normalization behind a convolution into its weights."""
    assert norm.running_mean is not None and norm.running_var is not None
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )


def _replace(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for parent in model.modules():
        for name, child in parent.named_children():
            if child is old:
                setattr(parent, name, new)
