"""Backbones: any timm network with features, as a stem and four stages.

Every network of the system starts with one: the CAM networks read the last stage, C2AM the last two,
DeepLabV3+ the first and the last, AffinityNet and PoolNet all of them.
"""

from difflib import get_close_matches
from typing import Any, Literal, get_args

import timm
import torch
from timm.models.efficientnet import EfficientNet
from torch import Tensor, nn

from wsss.errors import UserError
from wsss.models.norm import Freezable, NormMode, batch_norms
from wsss.models.resnet import is_resnet, make_caffe, set_output_stride
from wsss.models.vit import VisionTower, is_vision_transformer

FreezeLevel = Literal["none", "stem", "stages", "all"]

#: ResNets in Caffe's shape (and BGR input), by the timm network they are made from; output stride 16 only
CAFFE = {"resnet50_caffe": "resnet50"}

STRIDES = (8, 16, 32)
#: size of an image that networks for images of one size refuse
SOME_SIZE = (128, 160)
#: networks of different families that have features at all strides
EXAMPLES = ("resnest50d", "resnet50", "mobilenetv3_large_100", "vit_small_patch16_224")


class NoFeatures(UserError):
    """timm has no features of a network at the needed strides."""


class Backbone(Freezable):
    """The backbone of a network.

    name: a network of timm with `features_only`, a plain vision transformer of timm, or `resnet50_caffe`.
    output_stride: 8, 16 or 32; stride of the last stage (see `resnet.py` for ResNeSt and ResNet, which are
        as the published system has them, and `vit.py` for vision transformers; the others are as timm makes
        them).
    norm: "normal" trains batch normalization; "fix" keeps it on its running statistics, with weight and bias
        frozen, also under `train()`.
    freeze: the part that stays untrained and in evaluation mode: "none", "stem", "stages" (the stem and all
        stages but the last), "all".
    pooled_stem: a ResNet's stem feature is taken behind its max-pool (stride 4), else before it (stride 2).
    classifier_features: the last feature is what the ImageNet classifier of the network reads. An
        EfficientNet has one more convolution there (320 → 1280 channels in Lite0), which timm leaves out.

    `channels` and `strides` describe the five features. The stem's feature is at stride 4 for ResNet and
    ResNeSt, at stride 2 for networks that have such a feature, and for those without (ConvNeXt, Swin, ViT)
    the first stage's, given twice. `layout` is the order in memory that is the faster one: the usual
    for ResNeSt, the other for ResNet, EfficientNet-Lite and MobileNet.

    Raises UserError for a network or options that are not available.
    """

    def __init__(
        self,
        name: str,
        *,
        output_stride: int = 16,
        norm: NormMode = "normal",
        freeze: FreezeLevel = "none",
        pooled_stem: bool = True,
        classifier_features: bool = False,
    ) -> None:
        super().__init__()
        for key, value, allowed in (("norm", norm, NormMode), ("freeze", freeze, FreezeLevel)):
            if value not in get_args(allowed):
                raise UserError(
                    f"backbone {name!r}: {key} {value!r}, allowed are {', '.join(get_args(allowed))}"
                )
        self.name = name
        try:
            self.net = feature_network(name, output_stride, classifier_features=classifier_features)
            shapes = feature_shapes(self.net, output_stride, pooled_stem=pooled_stem)
        except NoFeatures:
            raise _unavailable(name, output_stride) from None
        self.channels, self.strides = shapes
        #: the order in memory of weights and images in which this network is fastest
        self.layout = torch.contiguous_format if "resnest" in name else torch.channels_last
        self.net.to(memory_format=self.layout)
        self._stem_tap = "maxpool" if pooled_stem else "act1"
        if norm == "fix":
            self.freeze(batch_norms(self.net))
        self.freeze(self._frozen(freeze))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of a normalized image batch (B, 3, H, W): stem and four stages, (B, channels[i], h, w)."""
        return feature_maps(self.net, x.contiguous(memory_format=self.layout), self._stem_tap)

    def _frozen(self, freeze: FreezeLevel) -> list[nn.Module]:
        """The modules up to the last frozen one, in the order of execution, which is that of definition."""
        if freeze == "none":
            return []
        modules = [(flat(name), module) for name, module in self.net.named_modules() if name]
        if freeze == "all":
            return [module for _, module in modules]
        taps = [flat(name) for name in self.net.feature_info.module_name()]
        last = taps[0] if freeze == "stem" else taps[-2]
        inside = [i for i, (name, _) in enumerate(modules) if name == last or name.startswith(last + "_")]
        if not inside:
            raise UserError(
                f"backbone {self.name!r}: freeze {freeze!r}, but where its stages end is not known; "
                "allowed are none and all"
            )
        # without a feature of the stem, the stem is what comes before the first stage
        end = inside[0] if freeze == "stem" and len(taps) == 4 else inside[-1] + 1
        return [module for _, module in modules[:end]]


def feature_maps(net: Any, x: Tensor, stem: str) -> list[Tensor]:
    """The five features of images (B, 3, H, W). stem: of a ResNet, the layer that gives the first."""
    if not is_resnet(net):
        taps = list(net(x))
        if hasattr(net, "conv_head"):
            taps[-1] = net.bn2(net.conv_head(taps[-1]))
        if getattr(net, "output_fmt", "NCHW") == "NHWC":
            taps = [tap.permute(0, 3, 1, 2).contiguous() for tap in taps]
        return taps if len(taps) == 5 else [taps[0], *taps]
    taps = []
    for name, layer in net.named_children():
        x = layer(x)
        if name == stem or name.startswith("layer"):
            taps.append(x)
    return taps


def feature_shapes(net: Any, output_stride: int, *, pooled_stem: bool) -> tuple[list[int], list[int]]:
    """Channels and strides of the five features of a feature network, see `Backbone`.

    Raises NoFeatures where they are not at strides 4 to `output_stride`.
    """
    channels, strides = list(net.feature_info.channels()), list(net.feature_info.reduction())
    if hasattr(net, "conv_head"):
        channels[-1] = net.conv_head.out_channels
    if is_resnet(net):
        stages = [min(stride, output_stride) for stride in (4, 8, 16, 32)]
        return channels, [4 if pooled_stem else 2, *stages]
    if len(channels) == 4:
        channels, strides = [channels[0], *channels], [strides[0], *strides]
    if len(channels) != 5 or strides[1] != 4 or strides[-1] != output_stride:
        raise NoFeatures(f"features at strides {strides}")
    return channels, strides


def feature_network(
    name: str, output_stride: int, *, pretrained: bool = False, classifier_features: bool = False
) -> Any:
    """timm's network `name` without its classifier, giving its last five (or only four) features.

    pretrained: with timm's ImageNet weights, downloaded if they are not cached. classifier_features: see
    `Backbone`. Raises UserError for a network or an output stride that is not available.
    """
    if output_stride not in STRIDES:
        raise UserError(f"output_stride {output_stride}: allowed are 8, 16 and 32")
    check_name(name)
    if name in CAFFE:
        if output_stride != 16:
            raise NoFeatures(f"backbone {name!r}: output_stride {output_stride}")
        net = _features(CAFFE[name], pretrained)
        make_caffe(net)
        return net
    if is_vision_transformer(name):
        return VisionTower(name, output_stride, pretrained=pretrained)
    net = _features(name, pretrained)
    if is_resnet(net):
        set_output_stride(net, output_stride)
    elif output_stride != 32:
        net = _features(name, pretrained, output_stride=output_stride)
    if classifier_features:
        full = timm.create_model(name, pretrained=pretrained)
        if isinstance(full, EfficientNet):
            net.conv_head, net.bn2 = full.conv_head, full.bn2
    return net


def check_name(name: str) -> None:
    """Raise UserError, with near names, unless timm (or `CAFFE`) knows the backbone."""
    if name not in CAFFE and not timm.is_model(name):
        near = get_close_matches(name, [*CAFFE, *timm.list_models()], n=3)
        hint = f"; similar: {', '.join(near)}" if near else "; timm.list_models() lists all"
        raise UserError(f"backbone {name!r}: timm {timm.__version__} has no such network{hint}")


def check_backbone(name: str, *, output_stride: int = 16, freeze: FreezeLevel = "none") -> None:
    """Raise UserError, with what to choose instead, unless the network can be a `Backbone` for any image.

    Builds and calls it on torch's meta device, which computes shapes only.
    """
    with torch.device("meta"):
        Backbone(name, output_stride=output_stride, freeze=freeze)
    if not _available(name, output_stride):
        raise _unavailable(name, output_stride)


def _available(name: str, output_stride: int) -> bool:
    try:
        with torch.device("meta"):
            net = feature_network(name, output_stride).eval()
            feature_shapes(net, output_stride, pooled_stem=True)
            feature_maps(net, torch.zeros(1, 3, *SOME_SIZE), "maxpool")
    except Exception:  # each network of timm that takes images of one size only says so in its own way
        return False
    return True


def _unavailable(name: str, output_stride: int) -> UserError:
    """What is wrong with an output stride, and what to choose instead."""
    if strides := [stride for stride in STRIDES if _available(name, stride)]:
        known = " or ".join(map(str, strides))
        return UserError(f"backbone {name!r}: output_stride {output_stride} is not available; choose {known}")
    return UserError(
        f"backbone {name!r}: cannot be used, as it has no feature maps at strides 4 to 32 for images of any "
        f"size; choose another network, such as {', '.join(EXAMPLES)}"
    )


def flat(name: str) -> str:
    """A module's name in a form that stays the same where timm flattens containers: stages.0 is stages_0."""
    return name.replace(".", "_")


def _features(name: str, pretrained: bool, **options: int) -> Any:
    try:
        with torch.device("meta"):
            count = len(timm.create_model(name, features_only=True, **options).feature_info.channels())
    except (TypeError, AssertionError, AttributeError, NotImplementedError, RuntimeError):
        raise NoFeatures(f"backbone {name!r}: {options or 'features_only'}") from None
    last = tuple(range(-min(count, 5), 0))
    return timm.create_model(name, features_only=True, out_indices=last, pretrained=pretrained, **options)
