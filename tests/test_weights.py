"""Pretrained weights: from files of any of the usual kinds, from packages, from timm; or a word why not."""

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import wsss.models  # noqa: F401  before timm

# isort: split

import pytest
import safetensors.torch
import timm
import timm.models._registry
import torch
from torch import Tensor

from wsss.errors import UserError
from wsss.models import AffinityNet, Backbone, Classifier, check_weights, load_backbone_weights
from wsss.models.weights import PACKAGES, read_tensors

SMALL = "mobilenetv3_small_050"


def saved(path: Path, tensors: Any) -> str:
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(tensors, path)
    else:
        torch.save(tensors, path)
    return str(path)


def same(backbone: Backbone, state: dict[str, Tensor]) -> bool:
    ours = backbone.net.state_dict()
    return all(torch.equal(tensor, state[name]) for name, tensor in ours.items())


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_file_of_a_timm_classifier(tmp_path: Path, suffix: str) -> None:
    state = timm.create_model(SMALL).state_dict()
    path = saved(tmp_path / f"net{suffix}", state)
    backbone = Backbone(SMALL)
    load_backbone_weights(backbone, path)
    assert same(backbone, state)


@pytest.mark.parametrize("wrap", ["state_dict", "model"])
def test_file_of_a_training(tmp_path: Path, wrap: str) -> None:
    state = timm.create_model("resnet18").state_dict()
    old = {f"module.{name}": tensor for name, tensor in state.items() if "num_batches" not in name}
    backbone = Backbone("resnet18", output_stride=8)
    load_backbone_weights(backbone, saved(tmp_path / "net.pth", {wrap: old, "epoch": 3}))
    assert same(backbone, state)


def test_flattened_containers(tmp_path: Path) -> None:
    state = timm.create_model("convnext_atto").state_dict()
    assert any(name.startswith("stages.0.") for name in state)
    backbone = Backbone("convnext_atto")
    load_backbone_weights(backbone, saved(tmp_path / "net.safetensors", state))
    assert torch.equal(backbone.net.state_dict()["stages_2.blocks.0.gamma"], state["stages.2.blocks.0.gamma"])


def test_file_of_another_network_of_ours(tmp_path: Path) -> None:
    classifier = Classifier("resnest14d", 3)
    path = saved(tmp_path / "classifier.safetensors", classifier.state_dict())
    affinity = AffinityNet("resnest14d", weights=path)
    assert same(affinity.backbone, classifier.backbone.net.state_dict())


def test_file_of_a_published_classifier(tmp_path: Path) -> None:
    state = timm.create_model("resnest14d").state_dict()
    named = {"classifier.weight": torch.zeros(20, 2048, 1, 1)}
    for name, tensor in state.items():
        named[f"backbone.{name}"] = tensor
    del named["backbone.fc.weight"], named["backbone.fc.bias"]
    backbone = Backbone("resnest14d")
    load_backbone_weights(backbone, saved(tmp_path / "pnoc.pth", named))
    assert same(backbone, state)


def test_all_that_does_not_fit_is_named(tmp_path: Path) -> None:
    state = timm.create_model("resnet18").state_dict()
    del state["layer1.0.conv1.weight"]
    state["layer5.0.conv1.weight"] = state["conv1.weight"]
    state["layer2.0.bn1.bias"] = torch.zeros(3)
    path = saved(tmp_path / "net.pth", state)
    with pytest.raises(UserError) as error:
        load_backbone_weights(Backbone("resnet18"), path)
    message = str(error.value)
    assert path in message and "resnet18" in message
    assert "missing (1): layer1.0.conv1.weight" in message
    assert "unexpected (1): layer5.0.conv1.weight" in message
    assert "layer2.0.bn1.bias (3,) instead of (128,)" in message


class Unsafe:
    """What a pickle must not bring in."""


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_damaged_files_are_named(tmp_path: Path, suffix: str, part: float) -> None:
    path = tmp_path / f"net{suffix}"
    saved(path, {"weight": torch.randn(1000)})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(UserError, match="no readable file of tensors"):
        read_tensors(path)


@pytest.mark.parametrize(
    ("content", "message"), [(Unsafe(), "no readable file"), ({"epoch": 3}, "no state dict")]
)
def test_only_tensors_are_read(tmp_path: Path, content: Any, message: str) -> None:
    path = saved(tmp_path / "net.pth", content)
    with pytest.raises(UserError, match=message):
        read_tensors(path)


@pytest.mark.parametrize("backbone", PACKAGES)
def test_package(backbone: str) -> None:
    distribution, _ = PACKAGES[backbone]
    if importlib.util.find_spec(distribution.replace("-", "_")) is None:
        with pytest.raises(UserError, match=f"pip install {distribution}"):
            check_weights(backbone, "package")
        return
    check_weights(backbone, "package")
    random, ours = Backbone(backbone), Backbone(backbone)
    load_backbone_weights(ours, "package")
    assert not torch.equal(ours.net.conv_stem.weight, random.net.conv_stem.weight)
    # trained statistics, not those of a new network: every layer has its own
    means = [value for name, value in ours.net.state_dict().items() if name.endswith("running_mean")]
    assert all(mean.abs().max() > 0 for mean in means)


def test_imagenet_weights_come_through_timm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = timm.create_model(SMALL).state_dict()
    path = saved(tmp_path / "net.safetensors", state)
    registry = timm.models._registry._model_pretrained_cfgs
    monkeypatch.setitem(registry, SMALL, dataclasses.replace(registry[SMALL], file=path))
    check_weights(SMALL, "imagenet")
    backbone = Classifier(SMALL, 3, weights="imagenet", output_stride=8).backbone
    assert same(backbone, state)


def test_imagenet_weights_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", refuse)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: None)
    with pytest.raises(UserError, match=r"resnet18.*cannot be fetched \(no route\)"):
        check_weights("resnet18", "imagenet")


@pytest.mark.parametrize(
    ("backbone", "weights", "message"),
    [
        ("resnet19", None, "resnet18"),
        ("resnet18", "/no/such/file.pth", "no such file"),
        ("resnet18", "moco", "allowed are none, imagenet, package"),
        ("resnet18", "package", "tf_efficientnet_lite0"),
        ("resnet50_caffe", "imagenet", "timm has none"),
        ("resnest14d", "package", "no package"),
    ],
)
def test_what_cannot_be_had_is_said(backbone: str, weights: str | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_weights(backbone, weights)


@pytest.mark.parametrize("weights", [None, "none"])
def test_no_weights(weights: str | None) -> None:
    check_weights("resnest269e", weights)
    load_backbone_weights(Backbone(SMALL), weights)
