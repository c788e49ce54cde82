"""A linear layer on frozen features as the segmentation network: trained, saved, loaded, making masks."""

from pathlib import Path

import pytest
import torch
from support.chain import CLASSES, Toy

from workflow.scripts.make_masks import make_masks
from workflow.scripts.train_segmentation import train_segmentation
from wsss.config.segmentation import SegmentationNetworkConfig
from wsss.errors import UserError
from wsss.models import Classifier, DeepLabV3Plus, LinearSegmenter, Segmenter
from wsss.store.label_maps import LabelShard
from wsss.store.networks import Header, load_network, save_model

LINEAR = {"training": {"network": {"backbone": "test_vit", "weights": "none", "kind": "linear"}}}


@pytest.mark.parametrize("backbone", ["test_vit", "mobilenetv3_small_050", "resnest14d"])
@pytest.mark.parametrize("output_stride", [8, 16])
def test_logits_have_the_images_size(backbone: str, output_stride: int) -> None:
    torch.set_num_threads(1)
    model = LinearSegmenter(backbone, 4, output_stride=output_stride).eval()
    with torch.no_grad():
        for height, width in ((64, 64), (37, 75)):
            x = torch.randn(1, 3, height, width)
            logits = model(x)
            assert logits.shape == (1, 4, height, width)
            coarse = model.classifier(model.backbone(x)[-1])
            assert logits.amax() <= coarse.amax() + 1e-5 and logits.amin() >= coarse.amin() - 1e-5


def test_only_the_linear_layer_learns() -> None:
    torch.set_num_threads(1)
    model = LinearSegmenter("mobilenetv3_small_050", 4).train()
    before = {name: tensor.clone() for name, tensor in model.backbone.state_dict().items()}
    model(torch.randn(2, 3, 48, 48)).square().sum().backward()
    learned = [name for name, parameter in model.named_parameters() if parameter.grad is not None]
    assert learned == ["classifier.1.weight", "classifier.1.bias"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.backbone.state_dict().items())


def test_a_file_tells_which_segmenter_it_holds(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    for model in (LinearSegmenter("test_vit", 3).eval(), DeepLabV3Plus("test_vit", 3).eval()):
        name = type(model).__name__
        path = tmp_path / f"{name}.safetensors"
        save_model(path, model, Header(name, "test_vit", 16, ("a", "b"), "digest"))
        loaded, _ = load_network(path, Segmenter)
        assert type(loaded) is type(model)
        x = torch.randn(1, 3, 40, 40)
        with torch.no_grad():
            torch.testing.assert_close(loaded(x), model(x), rtol=0, atol=0)
        with pytest.raises(UserError, match=f"holds a {name}; needed is a Classifier"):
            load_network(path, Classifier)


def test_a_run_trains_it_and_makes_masks(toy: Toy, tmp_path: Path) -> None:
    toy = Toy(tmp_path, segmentation=LINEAR)
    model, metrics = tmp_path / "segmentation.safetensors", tmp_path / "segmentation.csv"
    truth = toy.truth("pseudo_labels")
    files = {"labels": [truth], "val_index": None, "val_labels": []}
    train_segmentation(toy.step("segmentation", out=model, metrics=metrics, **files))
    network, header = load_network(model, Segmenter)
    assert isinstance(network, LinearSegmenter) and header.classes == CLASSES
    make_masks(toy.step("masks", model=model, out=tmp_path / "masks"))
    masks = LabelShard(tmp_path / "masks")
    assert masks.ids == tuple(record.id for record in toy.index)
    assert {int(value) for _, mask in masks for value in mask.flat} <= set(range(len(CLASSES) + 1))


def test_keys_of_deeplab_do_not_count_for_it() -> None:
    keys = SegmentationNetworkConfig(kind="linear", head_norm="batch")
    assert keys.differences() == {"kind": "linear"}
    assert keys.single_image_remedies == {}
