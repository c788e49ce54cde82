"""Our networks give what the published ones gave, with the same parameters under any released name."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from support.golden import TOLERANCE, outputs
from torch import Tensor, nn

from wsss.errors import UserError
from wsss.models import C2AM, AffinityNet, Classifier, DeepLabV3Plus, PoolNet, load_published

BUILD: dict[str, Callable[[], nn.Module]] = {
    "classifier_resnest50": lambda: Classifier("resnest50d", 20),
    "ccam_resnest50": lambda: C2AM("resnest50d"),
    "deeplabv3plus_gn_resnest50": lambda: DeepLabV3Plus("resnest50d", 21, norm="group"),
    "affinitynet_resnest50": lambda: AffinityNet("resnest50d"),
    "poolnet_resnet50": PoolNet,
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def built(name: str) -> nn.Module:
    """The network with memory for its parameters, but none of the time that initializing them takes."""
    with torch.device("meta"):
        return BUILD[name]().eval().to_empty(device="cpu")


@pytest.mark.parametrize("name", BUILD)
def test_outputs_are_the_published_ones(shared: Path, fill: ModuleType, name: str) -> None:
    meta = json.loads((shared / "golden" / f"{name}.json").read_text())
    published = np.load(shared / "golden" / f"{name}.npz")
    model = built(name)
    load_published(model, {key: fill.filled(key, shape) for key, shape in meta["state_dict"].items()})
    batch, _, height, width = meta["input_shape"]
    for key, ours in outputs(model, fill.image_batch(meta["seed"], batch, height, width)).items():
        assert ours.shape == published[key].shape
        assert np.abs(ours.numpy() - published[key]).max() <= TOLERANCE * np.abs(published[key]).max(), key


def numbered(shapes: Iterable[tuple[str, list[int]]]) -> dict[str, Tensor]:
    """Tensors that take no memory and say by their value which one they are."""
    return {name: torch.tensor(float(i)).expand(shape) for i, (name, shape) in enumerate(shapes)}


@pytest.mark.parametrize("network", ["classifier", "ccam", "deeplabv3plus_gn"])
@pytest.mark.parametrize(
    ("release", "without", "prefix"),
    [
        ("names_2023-02", "model.", ""),
        ("names_2023-02", "stage", "module."),
        ("names_2024-11", "stage", "module."),
    ],
)
def test_all_releases_name_the_same_tensors(
    shared: Path, network: str, release: str, without: str, prefix: str
) -> None:
    golden, name = shared / "golden", f"{network}_resnest50"
    seed = json.loads((golden / f"{name}.json").read_text())["state_dict"]
    named = json.loads((golden / f"{release}.json").read_text())[network].items()
    # the releases have the tensors in the same order; 2023-02 has the backbone's twice
    once = [(key, shape) for key, shape in named if not key.startswith(without)]
    assert len(once) == len(seed)
    first, second = built(name), built(name)
    load_published(first, numbered(seed.items()))
    load_published(second, numbered((prefix + key, shape) for key, shape in once))
    expected = first.state_dict()
    for key, tensor in second.state_dict().items():
        assert torch.equal(tensor.flatten()[:1], expected[key].flatten()[:1]), key


def test_the_later_of_two_names_counts(shared: Path) -> None:
    shapes = json.loads((shared / "golden" / "names_2023-02.json").read_text())["classifier"]
    tensors = numbered(shapes.items())
    model = built("classifier_resnest50")
    load_published(model, tensors)
    assert model.backbone.net.bn1.bias[0] == tensors["stage1.1.bias"][0] != tensors["model.bn1.bias"][0]


@pytest.mark.parametrize("name", ["classifier_resnest50", "poolnet_resnet50"])
def test_all_that_does_not_fit_is_named(shared: Path, name: str) -> None:
    tensors = numbered(json.loads((shared / "golden" / f"{name}.json").read_text())["state_dict"].items())
    first, *_, last = (key for key in tensors if "num_batches" not in key)
    tensors["extra.weight"] = tensors.pop(last)
    tensors[first] = torch.zeros(7)
    inner = next(key for key in tensors if key.endswith("1.conv3.weight"))
    del tensors[inner]
    with pytest.raises(UserError) as error:
        load_published(built(name), tensors)
    message = str(error.value)
    assert "unexpected (1): extra.weight" in message
    assert "missing (2): " in message and last in message and inner in message
    assert f"of another shape (1): {first} (7,) instead of" in message
