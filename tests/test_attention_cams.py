"""A linear classifier on a frozen transformer, and its CAMs along the transformer's attention."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from wsss.config import PriorsConfig
from wsss.data.index import Index, Record
from wsss.errors import UserError
from wsss.inference.attention_cams import AttentionCamNetwork, require_attention
from wsss.inference.attention_refinement import box_mask, min_max, refine
from wsss.inference.cams import cam_maps
from wsss.models import Classifier
from wsss.models.attention import attention_weights
from wsss.store.files import write_png
from wsss.training.tasks import PRIOR_TASKS

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model() -> Classifier:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    classifier = Classifier("test_vit", 3, freeze="all")
    nn.init.normal_(classifier.classifier.weight)
    for block in classifier.backbone.net.vit.blocks:  # else all patches attend to all others alike
        nn.init.normal_(block.attn.qkv.weight, std=0.2)
    return classifier.eval()


def photograph(height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8))


def test_only_the_last_layer_of_a_linear_prior_learns() -> None:
    torch.manual_seed(0)
    classifier = Classifier("mobilenetv3_small_050", 3)
    PRIOR_TASKS["linear"](classifier, PriorsConfig(method="linear"))
    classifier.train()
    before = {name: tensor.clone() for name, tensor in classifier.backbone.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in classifier.parameters() if p.requires_grad], lr=1.0)
    weight = classifier.classifier.weight.detach().clone()
    classifier(torch.randn(2, 3, 64, 64)).square().sum().backward()
    optimizer.step()
    assert [name for name, p in classifier.named_parameters() if p.grad is not None] == ["classifier.weight"]
    assert not torch.equal(classifier.classifier.weight, weight)
    assert all(torch.equal(tensor, before[name]) for name, tensor in classifier.backbone.state_dict().items())


def test_maps_are_refined_along_the_tower_s_attention(model: Classifier) -> None:
    images = photograph(50, 66)
    network = AttentionCamNetwork(model, CPU, "float32", flip=False)
    (maps,) = network(images, [[0, 2]], "an image")
    x = network.normalize(images)
    with torch.no_grad():
        cam = min_max(model.forward_cam(x)[1][0, [0, 2]].relu())
    tower = model.backbone.net.vit
    with torch.no_grad(), attention_weights(list(tower.blocks), tower.num_prefix_tokens) as weights:
        model.backbone(x)
    attention = torch.stack(weights).mean(0)[0]
    expected = min_max(refine(attention, torch.from_numpy(box_mask(cam.numpy())), cam))
    assert maps.shape == (2, 4, 5)
    np.testing.assert_allclose(maps, expected.numpy(), rtol=1e-3, atol=1e-5)
    assert np.abs(maps - cam.numpy()).max() > 0.05


def test_the_mirror_image_is_added_and_turned_back(model: Classifier) -> None:
    images = photograph(48, 64)
    once = AttentionCamNetwork(model, CPU, "float32", flip=False)
    (straight,) = once(images, [[1]], "an image")
    (mirrored,) = once(images.flip(2), [[1]], "an image")
    (both,) = AttentionCamNetwork(model, CPU, "float32", flip=True)(images, [[1]], "an image")
    np.testing.assert_allclose(both, straight + mirrored[..., ::-1], rtol=1e-4, atol=1e-6)


def test_cams_of_an_index_come_refined_and_in_the_usual_form(model: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_png(path, photograph(40, 70)[0].numpy())
    records = (Record("a", path, None, ("cat", "cow")), Record("b", path, None, ()))
    index = Index(records, ("cat", "dog", "cow"), "train", "d")
    network = AttentionCamNetwork(model, CPU, "float32", flip=True)
    found, empty = cam_maps(network, index, (1.0, 2.0))
    assert found.keys.tolist() == [0, 1, 3]
    assert [maps.shape for maps in found.scales.values()] == [(2, 3, 5), (2, 5, 9)]
    assert found.full().shape == (2, 40, 70)
    assert 0.9 < found.full().max() <= 1
    assert empty.full().shape == (0, 40, 70)


def test_a_convolutional_network_has_no_attention() -> None:
    require_attention("resnest50d", "none")
    require_attention("vit_small_patch14_dinov2.lvd142m", "attention")
    with pytest.raises(UserError, match=r"resnest50d'.*no attention"):
        require_attention("resnest50d", "attention")
    with pytest.raises(UserError, match="no attention"):
        AttentionCamNetwork(Classifier("mobilenetv3_small_050", 2), CPU, "float32", flip=True)
