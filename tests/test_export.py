"""Exported networks: they compute what the network computes, for any number of images and any size."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from support.chain import CLASSES, Toy
from torch import Tensor, nn

import wsss.exports.network
from wsss.cli import main
from wsss.errors import UserError
from wsss.exports.network import Deployed, export
from wsss.models import DeepLabV3Plus
from wsss.models.padding import PaddedConv
from wsss.models.weights import normalization
from wsss.store.networks import Header, save_model

# isort: split
from timm.layers import Conv2dSame  # after wsss: it imports torchvision

BACKBONE = "resnet10t"
SHAPES = ((1, 64, 64), (2, 97, 131), (1, 33, 200))


@pytest.fixture
def network() -> DeepLabV3Plus:
    """Of three classes and the background."""
    torch.manual_seed(0)
    return DeepLabV3Plus(BACKBONE, len(CLASSES) + 1).eval()


@pytest.fixture
def trained(toy: Toy, network: DeepLabV3Plus) -> Toy:
    """The toy run with its segmentation network where a rule would put it."""
    header = Header("DeepLabV3Plus", BACKBONE, 16, CLASSES, toy.run.digest("segmentation"))
    save_model(toy.run.output("segmentation"), network, header)
    return toy


def photographs(batch: int, height: int, width: int) -> Tensor:
    """Noise, uint8 (B, 3, H, W)."""
    noise = np.random.default_rng(0).integers(0, 256, (batch, 3, height, width), dtype=np.uint8)
    return torch.from_numpy(noise)


@torch.inference_mode()
def expected(network: DeepLabV3Plus, images: Tensor) -> Tensor:
    """What the network says, its images normalized as all of inference does."""
    return network(torch.stack([network.normalization(image.permute(1, 2, 0).numpy()) for image in images]))


def test_torch_exports_equal_the_network(trained: Toy, network: DeepLabV3Plus) -> None:
    assert main(["export", "--run", "toy", "--format", "torch"]) == 0
    about = {"run": "", "digest": "", "classes": "", "backbone": ""}
    program = torch.export.load("results/toy/export/segmentation.pt2", extra_files=about)
    assert json.loads(about["classes"]) == ["background", *CLASSES]
    assert about["run"] == "toy" and about["digest"] == trained.run.digest("segmentation")
    module = program.module()
    for shape in SHAPES:
        images = photographs(*shape)
        torch.testing.assert_close(module(images), expected(network, images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "backbone",
    ["tf_mobilenetv3_small_minimal_100", pytest.param("tf_efficientnet_lite0", marks=pytest.mark.slow)],
)
def test_networks_that_pad_as_tensorflow_are_exported(backbone: str, tmp_path: Path) -> None:
    """Their padding depends on the image's size."""
    torch.manual_seed(0)
    network = DeepLabV3Plus(backbone, 3).eval()
    export(network, "torch", tmp_path / "net.pt2", about={})
    module = torch.export.load(tmp_path / "net.pt2").module()
    for shape in (*SHAPES, (1, 34, 35)):
        images = photographs(*shape)
        torch.testing.assert_close(module(images), expected(network, images), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 2, 1), (5, 2, 1), (1, 2, 1), (2, 3, 1), (3, 1, 2)]
)
def test_padding_is_that_of_tensorflow(kernel: int, stride: int, dilation: int) -> None:
    conv = Conv2dSame(2, 3, kernel, stride, dilation=dilation)
    for sides in ((7, 8), (9, 6), (13, 13), (1, 2)):
        images = torch.rand(1, 2, *sides)
        torch.testing.assert_close(PaddedConv(conv)(images), conv(images), rtol=0, atol=0)


def test_onnx_exports_equal_the_network(trained: Toy, network: DeepLabV3Plus) -> None:
    runtime = pytest.importorskip("onnxruntime")
    assert main(["export", "--run", "toy", "--format", "onnx", "--out", "there/net.onnx"]) == 0
    session = runtime.InferenceSession("there/net.onnx", providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == ["background", *CLASSES] and about["backbone"] == BACKBONE
    for shape in SHAPES:
        images = photographs(*shape)
        (logits,) = session.run(["logits"], {"images": images.numpy()})
        np.testing.assert_allclose(logits, expected(network, images), rtol=1e-3, atol=1e-4)
    assert [path.name for path in Path("there").iterdir()] == ["net.onnx"]


def test_images_are_normalized_as_the_backbone_wants_them() -> None:
    """Of Caffe's, which takes BGR."""
    stands_in = nn.Identity()
    stands_in.normalization = normalization("resnet50_caffe")  # type: ignore[assignment]
    images = photographs(1, 5, 7)
    found = Deployed(stands_in)(images)  # type: ignore[arg-type]
    torch.testing.assert_close(found[0], stands_in.normalization(images[0].permute(1, 2, 0).numpy()))


def test_a_file_has_the_suffix_of_its_format(network: DeepLabV3Plus) -> None:
    with pytest.raises(UserError, match=r"net\.pth: a file of format onnx must be called \*\.onnx"):
        export(network, "onnx", Path("net.pth"), about={})


def test_a_backbone_that_torch_cannot_save_is_named(
    network: DeepLabV3Plus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Some sums with an image's sizes have no file form."""

    def save(*_: object, **__: object) -> None:
        raise AssertionError("op ceil is not in _SYM_OPS")

    monkeypatch.setattr(torch.export, "save", save)
    monkeypatch.setattr(wsss.exports.network, "exported", lambda network: None)
    with pytest.raises(UserError, match=r"cannot save resnet10t, .* \(op ceil .*\); --format onnx can"):
        export(network, "torch", tmp_path / "net.pt2", about={})
    assert not list(tmp_path.iterdir())


def test_packages_that_are_missing_are_named(
    network: DeepLabV3Plus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match=r"onnx is not installed: pip install 'wsss\[onnx\]'"):
        export(network, "onnx", tmp_path / "net.onnx", about={})
    assert not list(tmp_path.iterdir())
