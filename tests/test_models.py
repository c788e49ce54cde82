"""Every network on every kind of backbone: shapes, strides, what learns and what does not, sizes."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from support.networks import NETWORKS
from torch import Tensor, nn

from wsss.errors import UserError
from wsss.models import C2AM, AffinityNet, Backbone, Classifier, DeepLabV3Plus, Normalization, PoolNet
from wsss.models.norm import batch_norms
from wsss.models.weights import normalization

#: one of each kind: ResNeSt, plain ResNet, stem feature at stride 2 (two kinds of timm's), no stem feature
BACKBONES = ["resnest14d", "resnet18", "tf_efficientnet_lite0", "mobilenetv3_small_050", "convnext_atto"]
SMALL = "mobilenetv3_small_050"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def images(size: int = 64, batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, size, size)


def count(module: nn.Module) -> float:
    """Parameters in millions."""
    return round(sum(parameter.numel() for parameter in module.parameters()) / 1e6, 3)


def on_meta(build: Callable[..., nn.Module], *arguments: Any, **options: Any) -> nn.Module:
    with torch.device("meta"):
        return build(*arguments, **options)


@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_has_five_features_at_its_strides(name: str, output_stride: int) -> None:
    backbone = Backbone(name, output_stride=output_stride).eval()
    with torch.no_grad():
        taps = backbone(images())
    assert [tap.shape[1] for tap in taps] == backbone.channels
    assert [64 // tap.shape[2] for tap in taps] == backbone.strides
    assert backbone.strides[1:] == [min(stride, output_stride) for stride in (4, 8, 16, 32)]
    assert backbone.strides[0] == (2 if "net_lite" in name or "mobile" in name else 4)


@pytest.mark.parametrize("name", ["resnest14d", "resnet18", "resnest26d", "resnet26"])
def test_output_stride_keeps_parameters_and_first_stages(name: str) -> None:
    coarse, fine = Backbone(name, output_stride=32).eval(), Backbone(name, output_stride=8).eval()
    fine.load_state_dict(coarse.state_dict())
    x = images()
    with torch.no_grad():
        for ours, theirs in zip(coarse(x)[:3], fine(x)[:3], strict=True):
            torch.testing.assert_close(ours, theirs)


def dilations(name: str, output_stride: int) -> list[list[int]]:
    """Dilation of the 3x3 convolutions of the last two stages."""
    net = Backbone(name, output_stride=output_stride).net
    return [
        [part.dilation[0] for part in stage.modules() if getattr(part, "kernel_size", 1) == (3, 3)]
        for stage in (net.layer3, net.layer4)
    ]


def test_dilations_are_the_published_ones() -> None:
    assert dilations("resnest26d", 16) == [[1, 1], [1, 2]]
    assert dilations("resnest26d", 8) == [[1, 2], [2, 4]]
    assert dilations("resnet26", 16) == [[1, 1], [1, 2]]
    assert dilations("resnet26", 8) == [[1, 2], [1, 4]]
    assert dilations("resnet50_caffe", 16)[1] == [2, 2, 2]


def test_resnest_keeps_its_average_pool_at_stride_one() -> None:
    block = Backbone("resnest14d").net.layer4[0]
    assert (block.avd_last.kernel_size, block.avd_last.stride) == (3, 1)
    assert isinstance(block.downsample[0], nn.Identity)


@pytest.mark.parametrize("name", BACKBONES[:4])
def test_fixed_norm_rests_under_train(name: str) -> None:
    backbone = Backbone(name, norm="fix")
    assert backbone.train() is backbone
    norms = batch_norms(backbone)
    before = [norm.running_mean.clone() for norm in norms]
    backbone(images())[-1].sum().backward()
    assert norms and not any(norm.training for norm in norms)
    assert not any(parameter.requires_grad for norm in norms for parameter in norm.parameters())
    assert all(torch.equal(norm.running_mean, mean) for norm, mean in zip(norms, before, strict=True))
    assert any(parameter.grad is not None for parameter in backbone.parameters())


def test_normal_norm_learns() -> None:
    backbone = Backbone(SMALL)
    norms = batch_norms(backbone)
    before = norms[-1].running_mean.clone()
    backbone(images())[-1].sum().backward()
    assert all(norm.training and norm.weight.grad is not None for norm in norms)
    assert not torch.equal(norms[-1].running_mean, before)


@pytest.mark.parametrize(
    ("name", "freeze", "first"),
    [
        ("resnest14d", "stem", "layer1.0.conv1.weight"),
        ("resnest14d", "stages", "layer4.0.conv1.weight"),
        ("tf_efficientnet_lite0", "stem", "blocks.1.0.conv_pw.weight"),
        ("tf_efficientnet_lite0", "stages", "blocks.5.0.conv_pw.weight"),
        ("mobilenetv3_small_050", "stem", "blocks.0.0.conv_dw.weight"),
        ("convnext_atto", "stem", "stages_0.blocks.0.gamma"),
        ("convnext_atto", "stages", "stages_3.downsample.0.weight"),
    ],
)
def test_freezing_stops_before_the_first_part_that_learns(name: str, freeze: Any, first: str) -> None:
    backbone = Backbone(name, freeze=freeze).train()
    learns = {key: parameter.requires_grad for key, parameter in backbone.net.named_parameters()}
    before = list(learns).index(first)
    assert before > 0 and list(learns.values()) == [False] * before + [True] * (len(learns) - before)
    for norm_name, part in backbone.net.named_modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.training == learns[f"{norm_name}.weight"]


def test_frozen_backbone_takes_no_gradient_and_keeps_its_statistics() -> None:
    model = Classifier(SMALL, 3, freeze="all").train()
    before = copy.deepcopy(model.backbone.state_dict())
    model(images()).sum().backward()
    learned = [name for name, parameter in model.named_parameters() if parameter.grad is not None]
    assert learned == ["classifier.weight"]
    assert all(torch.equal(value, before[name]) for name, value in model.backbone.state_dict().items())


def test_a_copy_keeps_what_is_frozen() -> None:
    model = copy.deepcopy(Classifier(SMALL, 3, norm="fix")).train()
    assert not any(norm.training for norm in batch_norms(model))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "resnest50"}, "resnest50d"),
        ({"name": SMALL, "output_stride": 4}, "8, 16 and 32"),
        ({"name": "densenet121"}, "output_stride 16 is not available; choose 32$"),
        ({"name": "beit_base_patch16_224", "output_stride": 32}, "cannot be used, as it has no feature maps"),
        ({"name": "resnet50_caffe", "output_stride": 8}, "output_stride 8 is not available; choose 16$"),
        ({"name": SMALL, "norm": "fixed"}, "normal, fix"),
        ({"name": SMALL, "freeze": "head"}, "none, stem, stages, all"),
    ],
)
def test_what_cannot_be_built_is_named(options: dict[str, Any], message: str) -> None:
    with torch.device("meta"), pytest.raises(UserError, match=message):
        Backbone(**options)


@pytest.mark.parametrize("backbone", BACKBONES[:4])
@pytest.mark.parametrize("network", NETWORKS)
def test_outputs_have_their_shapes(network: str, backbone: str) -> None:
    model = NETWORKS[network](backbone).eval()
    x = torch.randn(1, 3, 65, 96)
    with torch.no_grad():
        result = model(x)
    if network == "classifier":
        logits, cam = model.forward_cam(x)
        assert logits.shape == (1, 3) and cam.shape == (1, 3, 5, 6)
        torch.testing.assert_close(logits, cam.mean((2, 3)))
        torch.testing.assert_close(logits, result)
    elif network == "c2am":
        width = sum(model.backbone.channels[-2:])
        assert [tuple(part.shape) for part in result] == [(1, width), (1, width), (1, 1, 5, 6)]
        torch.testing.assert_close((result[0] + result[1])[:, -1], model.backbone(x)[-2].mean((2, 3))[:, -1])
    else:
        sizes = {"affinitynet": (1, 1, 17, 24), "deeplab": (1, 4, 65, 96), "poolnet": (1, 1, 65, 96)}
        assert result.shape == sizes[network]


@pytest.mark.parametrize("network", NETWORKS)
def test_every_parameter_that_learns_gets_a_gradient(network: str) -> None:
    model = NETWORKS[network](SMALL).train()
    result = model(images())
    (sum(part.sum() for part in result) if isinstance(result, tuple) else result.sum()).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name


@pytest.mark.parametrize("network", NETWORKS)
def test_heads_are_all_but_the_backbone(network: str) -> None:
    model = NETWORKS[network](SMALL)
    heads = {id(parameter) for head in model.head_modules() for parameter in head.parameters()}
    trunk = {id(parameter) for parameter in model.backbone.parameters()}
    assert heads and not heads & trunk
    assert heads | trunk == {id(parameter) for parameter in model.parameters()}
    assert isinstance(model.normalization, Normalization)


def test_heads_begin_as_published() -> None:
    weight = Classifier("resnet18", 20).classifier.weight
    assert weight.std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.05)
    model = PoolNet(SMALL)
    assert model.score.weight.std().item() == pytest.approx(0.01, rel=0.3)
    assert model.pyramid.merge[0].weight.std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize(
    ("backbone", "classes", "millions"),
    [
        ("resnest269e", 20, 108.921),
        ("resnest101e", 20, 46.267),
        ("resnest50d", 20, 25.475),
        ("resnest269e", 80, 109.044),
    ],
)
def test_classifiers_have_the_published_size(backbone: str, classes: int, millions: float) -> None:
    assert count(on_meta(Classifier, backbone, classes)) == millions


def test_other_networks_have_the_published_sizes() -> None:
    assert count(on_meta(C2AM, "resnest269e")) == 108.908
    deeplab = on_meta(DeepLabV3Plus, "resnest269e", 21, norm="group")
    assert (count(deeplab), count(deeplab.aspp), count(deeplab.decoder)) == (125.725, 15.535, 1.309)
    poolnet = on_meta(PoolNet)
    learning = sum(parameter.numel() for parameter in poolnet.parameters() if parameter.requires_grad)
    assert (count(poolnet), round(learning / 1e6, 3)) == (68.261, 68.208)


def test_deeplab_head_norms() -> None:
    batch, group = (on_meta(DeepLabV3Plus, SMALL, 4, norm=norm) for norm in ("batch", "group"))
    assert not any(isinstance(part, nn.GroupNorm) for part in batch.modules())
    assert all(norm.num_groups == 4 for norm in group.modules() if isinstance(norm, nn.GroupNorm))
    assert not batch_norms(group.aspp) + batch_norms(group.decoder)
    with pytest.raises(UserError, match="group, batch"):
        on_meta(DeepLabV3Plus, SMALL, 4, norm="layer")


def test_affinitynet_leaves_its_backbone_alone() -> None:
    model = AffinityNet(SMALL)
    assert model.train() is model and not model.backbone.net.conv_stem.weight.requires_grad
    assert not any(norm.training for norm in batch_norms(model.backbone))


def test_normalizations() -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    channels = image.transpose(2, 0, 1).astype(np.float32)
    lite = normalization("tf_efficientnet_lite0")(image)
    torch.testing.assert_close(lite, torch.from_numpy((channels - 127) / 128))
    imagenet = normalization("resnest50d")
    assert (imagenet.mean, imagenet.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    caffe = normalization("resnet50_caffe")(image)
    mean = np.array([104.00699, 116.66877, 122.67892], np.float32)[:, None, None]
    torch.testing.assert_close(caffe, torch.from_numpy(channels[::-1] - mean), atol=1e-4, rtol=0)
