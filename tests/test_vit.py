"""Vision transformers as backbones: every network takes them, at any size, and they are timm's own."""

from pathlib import Path
from typing import Any

import pytest
import torch

import wsss.models  # noqa: F401  before timm: it repairs torchvision

# isort: split
import timm
from safetensors.torch import save_file
from support.networks import NETWORKS
from torch import Tensor

from wsss.errors import UserError
from wsss.models import Backbone, Classifier, load_backbone_weights
from wsss.models.attention import attention_weights
from wsss.models.fused import fused
from wsss.models.weights import license_of, normalization
from wsss.store.networks import Header, load_network, save_model

#: class token; normalization behind the pooling; pooling by attention and a register; patch 14 and 4
#: registers; rotary positions
TOWERS = ["test_vit", "test_vit2", "test_vit3", "vit_small_patch14_reg4_dinov2", "vit_small_patch16_dinov3"]
SMALL = "test_vit"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def images(height: int = 65, width: int = 96) -> Tensor:
    return torch.randn(1, 3, height, width)


@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("name", TOWERS)
def test_features_have_their_strides_at_any_size(name: str, output_stride: int) -> None:
    backbone = Backbone(name, output_stride=output_stride).eval()
    assert backbone.strides == [4, *(min(stride, output_stride) for stride in (4, 8, 16, 32))]
    with torch.no_grad():
        for height, width in ((64, 64), (65, 97), (7, 130)):
            taps = backbone(images(height, width))
            for tap, channels, stride in zip(taps, backbone.channels, backbone.strides, strict=True):
                assert tap.shape == (1, channels, -(-height // stride), -(-width // stride))


@pytest.mark.parametrize("name", TOWERS)
def test_every_parameter_that_learns_gets_a_gradient(name: str) -> None:
    backbone = Backbone(name).train()
    sum(tap.square().sum() for tap in backbone(images())).backward()
    assert [key for key, parameter in backbone.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_takes_them(network: str) -> None:
    model = NETWORKS[network](SMALL).train()
    result = model(torch.randn(2, 3, 65, 96))
    results = result if isinstance(result, tuple) else (result,)
    sum(part.square().sum() for part in results).backward()
    last = {"affinitynet": (2, 1, 17, 24), "classifier": (2, 3), "c2am": (2, 1, 5, 6)}
    classes = {"deeplab": 4, "poolnet": 1}
    assert results[-1].shape == last.get(network, (2, classes.get(network), 65, 96))
    for name, parameter in model.named_parameters():
        if name.startswith("backbone.net.vit.blocks.0."):
            assert (parameter.grad is not None) == (network != "affinitynet"), name


@pytest.mark.parametrize("name", ["test_vit", "test_vit2"])
def test_the_last_feature_is_what_timm_s_classifier_reads(name: str) -> None:
    reference = timm.create_model(name).eval()
    backbone = Backbone(name).eval()
    backbone.net.vit.load_state_dict(reference.state_dict(), strict=False)
    side = reference.patch_embed.img_size[0]
    x = images(side, side)
    with torch.no_grad():
        tokens = reference.forward_features(x)[:, reference.num_prefix_tokens :]
        pooled = reference.fc_norm(tokens) if name == "test_vit2" else tokens
        torch.testing.assert_close(backbone(x)[-1].flatten(2).mT, pooled)


def test_a_feature_lies_where_its_patch_does() -> None:
    """Of patch 14 too: a change in one pixel changes the feature of the 16 px around it most."""
    for name, output_stride in (("test_vit", 16), ("vit_small_patch14_reg4_dinov2", 16), ("test_vit", 8)):
        backbone = Backbone(name, output_stride=output_stride).eval()
        x = torch.zeros(1, 3, 100, 120)
        y = x.clone()
        y[..., 70:74, 35:38] = 5
        with torch.no_grad():
            for stride, before, after in zip(backbone.strides, backbone(x), backbone(y), strict=True):
                change = (after - before).abs().sum(1)[0]
                row, column = divmod(int(change.argmax()), change.shape[1])
                assert abs((row + 0.5) * stride - 72) <= output_stride / 2 + 1, (name, stride)
                assert abs((column + 0.5) * stride - 36) <= output_stride / 2 + 5, (name, stride)


def attention_of(tower: Any, x: Tensor, layers: int) -> Tensor:
    """Attention between patches, mean over heads and the last blocks."""
    blocks = list(tower.vit.blocks)[-layers:]
    with torch.no_grad(), attention_weights(blocks, tower.vit.num_prefix_tokens) as weights:
        tower(x)
    return torch.stack(weights).mean(0)


def test_attention_is_the_softmax_between_patches() -> None:
    tower = Backbone(SMALL).eval().net
    x = images(33, 60)
    attention = attention_of(tower, x, layers=2)
    assert attention.shape == (1, 12, 12)
    assert ((attention > 0).all()) and bool((attention.sum(2) < 1).all())
    assert attention.sum(2).min() > 0.5  # what is missing went to the class token
    last, both = attention_of(tower, x, layers=1), 2 * attention
    seen: list[Tensor] = []
    block = tower.vit.blocks[-2].attn
    hook = block.register_forward_pre_hook(lambda _module, arguments: seen.append(arguments[0]))
    with torch.no_grad():
        tower(x)
    hook.remove()
    queries, keys, _ = block.qkv(seen[0]).unflatten(2, (3, block.num_heads, -1)).permute(2, 0, 3, 1, 4)
    expected = (block.q_norm(queries) * block.scale @ block.k_norm(keys).mT).softmax(-1).mean(1)[:, 1:, 1:]
    torch.testing.assert_close(both - last, expected)
    with pytest.raises(UserError, match="no attention"):
        attention_of(Backbone("vit_small_patch16_18x2_224").net, x, layers=1)


@pytest.mark.parametrize(
    ("freeze", "first"),
    [("stem", "vit.blocks.0."), ("stages", "vit.blocks.4."), ("all", None), ("none", "vit.cls_token")],
)
def test_freezing_stops_before_the_first_block_that_learns(freeze: Any, first: str | None) -> None:
    backbone = Backbone(SMALL, freeze=freeze).train()
    learns = [name for name, parameter in backbone.net.named_parameters() if parameter.requires_grad]
    if first is None:
        assert not learns
        assert not any(module.training for module in backbone.net.modules() if module is not backbone.net)
        return
    assert learns[0].startswith(first)
    names = [name for name, _ in backbone.net.named_parameters()]
    assert learns == names[names.index(learns[0]) :]


def test_a_classifier_is_saved_and_loaded(tmp_path: Path) -> None:
    model = Classifier(SMALL, 3).eval()
    path = tmp_path / "model.safetensors"
    save_model(path, model, Header("Classifier", SMALL, 16, ("a", "b", "c"), "digest"))
    loaded, _ = load_network(path, Classifier)
    x = images()
    with torch.no_grad():
        torch.testing.assert_close(loaded.forward_cam(x), model.forward_cam(x), rtol=0, atol=0)


def test_the_faster_copy_for_a_cpu_computes_the_same() -> None:
    model = Classifier(SMALL, 3).eval()
    faster = fused(model, lambda classifier, x: classifier.forward_cam(x)[1])
    x = images()
    with torch.inference_mode():
        torch.testing.assert_close(faster.forward_cam(x)[1], model.forward_cam(x)[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["test_vit", "test_vit3"])
def test_weights_come_from_a_file_of_timm_s_or_of_ours(tmp_path: Path, name: str) -> None:
    reference = timm.create_model(name)
    path = tmp_path / "timm.safetensors"
    save_file(reference.state_dict(), path)
    backbone = Backbone(name)
    load_backbone_weights(backbone, str(path))
    ours = backbone.net.vit.state_dict()
    theirs = reference.state_dict()
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in ours.items())
    whole = tmp_path / "ours.safetensors"
    state = Classifier(name, 2, weights=str(path)).state_dict()
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, whole)
    again = Backbone(name)
    load_backbone_weights(again, str(whole))
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in again.net.vit.state_dict().items())
    save_file({key: tensor for key, tensor in theirs.items() if key != "pos_embed"}, path)
    with pytest.raises(UserError, match="pos_embed"):
        load_backbone_weights(backbone, str(path))


def test_names_with_tags_have_their_normalization_and_license() -> None:
    clip = normalization("vit_base_patch16_clip_224.openai")
    assert clip.mean == pytest.approx((0.48145466, 0.4578275, 0.40821073))
    assert license_of("vit_base_patch16_clip_224.openai") == "apache-2.0"
    assert license_of("vit_base_patch16_224.mae") == "cc-by-nc-4.0"
    assert license_of("vit_small_patch16_dinov3") == "dinov3-license"
    assert license_of("resnet50_caffe") == "unknown"
