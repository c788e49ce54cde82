"""TensorFlow's padding of convolutions, which depends on the image's size, in whole numbers.

timm computes it with floating-point numbers, for which torch.export has no file form.
"""

import copy

import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad


class PaddedConv(nn.Module):
    """A convolution whose output has ceil(side / stride) pixels; what padding is odd goes to the end."""

    def __init__(self, conv: Conv2dSame) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, ceil(H / stride), ceil(W / stride))."""
        conv = self.conv
        amounts: list[int] = []
        for axis in (1, 0):  # `pad` begins with the last
            side, stride = x.shape[2 + axis], conv.stride[axis]
            reach = conv.dilation[axis] * (conv.kernel_size[axis] - 1) + 1
            total = ((side + stride - 1) // stride - 1) * stride + reach - side
            total = torch.sym_max(total, 0) if reach < stride else total
            amounts += [total // 2, total - total // 2]
        zero = (0, 0)
        return conv2d(pad(x, amounts), conv.weight, conv.bias, conv.stride, zero, conv.dilation, conv.groups)


def padded_in_whole_numbers(network: nn.Module) -> nn.Module:
    """A copy of a network that computes the same, its convolutions of this kind as `PaddedConv`."""
    network = copy.deepcopy(network)
    padded = {name: module for name, module in network.named_modules() if isinstance(module, Conv2dSame)}
    for name, conv in padded.items():
        network.set_submodule(name, PaddedConv(conv))
    return network
