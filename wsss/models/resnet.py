"""Shapes of ResNeSt and ResNet as the published system has them, made from timm's networks.

timm can set an output stride too, but differently for ResNeSt: with stride 1 its first block of a stage loses
the 3x3 average pool behind the split attention, and the pool of its shortcut becomes a padded 2x2 one. The
CAMs then differ by 40 % of the largest value. So these networks are built at stride 32 and changed here.
"""

from collections.abc import Iterator
from typing import Any

from timm.models.resnest import ResNestBottleneck
from timm.models.resnet import BasicBlock, Bottleneck
from torch import nn


def is_resnet(net: nn.Module) -> bool:
    """Whether this is a feature network of timm's ResNet family whose blocks can be changed here."""
    if not all(hasattr(net, name) for name in ("conv1", "maxpool", "layer4")):
        return False
    return all(
        isinstance(block, (ResNestBottleneck, BasicBlock, Bottleneck))
        and isinstance(getattr(block, "aa", nn.Identity()), nn.Identity)  # a blur pool has a stride too
        for block in _blocks(net, 4)
    )


def set_output_stride(net: nn.Module, output_stride: int) -> None:
    """Change a ResNet or ResNeSt of stride 32 to 16 or 8, in place; 32 leaves it as it is.

    Stride 16: the last stage has stride 1 and dilation 2. Stride 8: the third stage has dilation 2, the last
    one 4. The first block of a stage keeps the dilation of the stage before (ResNeSt's release: 2 in the last
    stage of stride 8), but in plain ResNets it is 1 throughout, as in the published system.
    """
    dilation = 1
    for stage, stride in ((3, 16), (4, 32)):
        if stride <= output_stride:
            continue
        before, dilation = dilation, 2 * dilation
        for position, block in enumerate(_blocks(net, stage)):
            if position == 0:
                _remove_stride(block)
            first = before if isinstance(block, ResNestBottleneck) else 1
            for index, conv in enumerate(_spatial_convs(block)):
                _set_dilation(conv, first if position == 0 and index == 0 else dilation)


def make_caffe(net: Any) -> None:
    """Change a ResNet-50 of stride 32 to the one of Caffe that PoolNet starts from, in place.

    The max-pool rounds up, the strides sit in the first 1x1 convolutions, and the last stage has stride 1 and
    dilation 2 in all of its blocks (He et al. 2016 as released for Caffe; Liu et al. 2019, PoolNet).
    """
    net.maxpool.ceil_mode = True
    for stage in (2, 3):
        first = next(iter(_blocks(net, stage)))
        first.conv1.stride, first.conv2.stride = first.conv2.stride, first.conv1.stride
    for position, block in enumerate(_blocks(net, 4)):
        if position == 0:
            _remove_stride(block)
        for conv in _spatial_convs(block):
            _set_dilation(conv, 2)


def _blocks(net: nn.Module, stage: int) -> Iterator[Any]:
    return net.get_submodule(f"layer{stage}").children()


def _spatial_convs(block: nn.Module) -> list[nn.Conv2d]:
    convs = (part for name, part in block.named_modules() if not name.startswith("downsample"))
    return [part for part in convs if isinstance(part, nn.Conv2d) and part.kernel_size == (3, 3)]


def _set_dilation(conv: nn.Conv2d, dilation: int) -> None:
    conv.dilation = conv.padding = (dilation, dilation)


def _remove_stride(block: nn.Module) -> None:
    """Stride 1 throughout the block; a pool in the shortcut vanishes, the one behind the attention stays."""
    for part in block.modules():
        if isinstance(part, nn.Conv2d):
            part.stride = (1, 1)
        elif isinstance(part, nn.AvgPool2d):
            part.stride = 1
    shortcut = getattr(block, "downsample", None)
    if isinstance(shortcut, nn.Sequential) and isinstance(shortcut[0], nn.AvgPool2d):
        shortcut[0] = nn.Identity()
