"""Walked CAMs in shards: the edges that hold them back, images of several sizes, nothing to walk with."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.chain import SIZES, Toy
from torch import Tensor

from workflow.scripts.walk_cams import walk_cams
from wsss.config import WalkConfig
from wsss.data.images import read_image
from wsss.errors import UserError
from wsss.inference.random_walks import random_walk
from wsss.inference.walks import EdgeNetwork, walk_maps
from wsss.models import AffinityNet
from wsss.store.cams import CamMaps, CamShard
from wsss.store.maps import write_shard
from wsss.store.networks import Header, save_model
from wsss.store.walks import WalkShard, full_size

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture(scope="module")
def model() -> AffinityNet:
    torch.manual_seed(0)
    return AffinityNet("mobilenetv3_small_050").eval()


def network(model: AffinityNet, side: int = 64) -> EdgeNetwork:
    return EdgeNetwork(model, torch.device("cpu"), side)


def holder(path: Path) -> dict[str, CamShard]:
    """By image id, the one shard there is."""
    shard = CamShard(path)
    return dict.fromkeys(shard.ids, shard)


# ---- edges -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [16, 64, 96])
def test_edges_are_the_mean_of_an_image_and_its_mirror_image(toy: Toy, model: AffinityNet, side: int) -> None:
    """IRNet's rule, step by step: pad on the right and bottom, cut, then turn back and take the mean."""
    pixels = np.asarray(read_image(toy.index.records[4].image))
    height, width = pixels.shape[:2]
    padded = [max(side, 16 * math.ceil(length / 16)) for length in (height, width)]

    @torch.no_grad()
    def logits(image: np.ndarray) -> Tensor:
        canvas = torch.zeros(1, 3, *padded)
        canvas[..., :height, :width] = model.normalization(image)
        return model(canvas)[0, 0, : math.ceil(height / 4), : math.ceil(width / 4)]

    expected = ((logits(pixels) + logits(pixels[:, ::-1].copy()).flip(-1)) / 2).sigmoid()
    found = network(model, side).edges(torch.from_numpy(pixels.copy())[None], "images")
    assert found.shape == (1, 10, 14) and padded[1] == max(side, 64)
    torch.testing.assert_close(found[0], expected, rtol=1e-5, atol=1e-6)


# ---- walks -------------------------------------------------------------------------------------------------


def test_a_walk_is_the_random_walk_of_the_strided_cams(toy: Toy, model: AffinityNet) -> None:
    settings = WalkConfig(side=64, beta=8, steps=64, radius=4)
    cams = holder(toy.cams)
    edges = network(model)
    found = list(walk_maps(edges, toy.index, cams, settings, batch=1, workers=0))
    assert [maps.id for maps in found] == [record.id for record in toy.index]
    for maps, record in zip(found, toy.index, strict=True):
        given = cams[record.id][record.id]
        assert maps.size == given.size and np.array_equal(maps.keys, given.keys)
        assert maps.scales[1.0].shape == (len(given.keys) - 1, *(math.ceil(side / 4) for side in given.size))
    image = torch.from_numpy(np.array(read_image(toy.index.records[1].image)))[None]
    start = torch.from_numpy(cams["id1"]["id1"].strided())
    expected = random_walk(start, edges.edges(image, "")[0], beta=8, steps=64, radius=4)
    np.testing.assert_allclose(found[1].scales[1.0], expected.numpy(), rtol=1e-6)
    np.testing.assert_array_equal(found[1].full(), full_size(found[1].scales[1.0], SIZES[1]))
    assert found[1].full().max() == 1


def test_stacks_of_images_walk_as_each_alone(
    toy: Toy, model: AffinityNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU: images of one size together, with different numbers of classes."""
    cams, settings = holder(toy.cams), WalkConfig(side=64, steps=64)
    alone = list(walk_maps(network(model), toy.index, cams, settings, batch=1, workers=0))
    together = network(model)
    monkeypatch.setattr(together, "loading", lambda batch, workers: (batch, workers))
    seen: list[int] = []
    edges = together.edges
    monkeypatch.setattr(
        together, "edges", lambda images, what: (seen.append(len(images)), edges(images, what))[1]
    )
    stacked = list(walk_maps(together, toy.index, cams, settings, batch=3, workers=0))
    assert max(seen) == 3
    for one, other in zip(alone, stacked, strict=True):
        assert one.id == other.id and np.array_equal(one.keys, other.keys)
        np.testing.assert_allclose(one.scales[1.0], other.scales[1.0], rtol=1e-4, atol=1e-6)


def test_without_labels_nothing_walks_and_without_evidence_nothing_comes(
    toy: Toy, model: AffinityNet, tmp_path: Path
) -> None:
    maps = list(CamShard(toy.cams))
    maps[0] = replace(maps[0], scales={1.0: np.zeros_like(maps[0].scales[1.0])})
    write_shard(tmp_path / "zero.safetensors", maps, digest="d")
    found = list(
        walk_maps(
            network(model),
            toy.index,
            holder(tmp_path / "zero.safetensors"),
            WalkConfig(side=64),
            batch=1,
            workers=0,
        )
    )
    assert not found[0].scales[1.0].any() and not found[0].full().any()
    assert found[5].scales[1.0].shape == (0, 12, 12) and found[5].full().shape == (0, 48, 48)


def test_cams_of_another_size_are_named(toy: Toy, model: AffinityNet, tmp_path: Path) -> None:
    maps = [
        CamMaps(each.id, (9, 9), each.keys, each.scales) if each.id == "id1" else each
        for each in CamShard(toy.cams)
    ]
    write_shard(tmp_path / "wrong.safetensors", maps, digest="d")
    wrong = holder(tmp_path / "wrong.safetensors")
    with pytest.raises(
        UserError, match=r"id1: CAMs for 9 x 9 pixels in .*wrong.*, but the image has 64 x 48"
    ):
        list(walk_maps(network(model), toy.index, wrong, WalkConfig(side=64), batch=1, workers=0))


def test_a_walk_stops_at_an_edge(monkeypatch: pytest.MonkeyPatch, toy: Toy, model: AffinityNet) -> None:
    """Evidence in one corner spreads over its side of the image and stays on it."""
    edges = network(model)
    line = torch.zeros(1, 12, 16)
    line[..., 8] = 1
    monkeypatch.setattr(edges, "edges", lambda images, what: line)
    cams = holder(toy.cams)
    (walked,) = walk_maps(
        edges,
        replace(toy.index, records=toy.index.records[:1]),
        cams,
        WalkConfig(side=64),
        batch=1,
        workers=0,
    )
    inside = walked.scales[1.0][0]
    assert inside[:, :8].min() > 0.3 and inside[:, 9:].max() < 0.05


# ---- the stage ---------------------------------------------------------------------------------------------


def saved(toy: Toy, model: AffinityNet, digest: str) -> Path:
    """The network in a file."""
    path = toy.root / "affinity.safetensors"
    header = Header("AffinityNet", "mobilenetv3_small_050", 16, toy.index.classes, digest)
    save_model(path, model, header)
    return path


def test_a_shard_of_walks_is_written(toy: Toy, model: AffinityNet, tmp_path: Path) -> None:
    out, path = tmp_path / "walks.safetensors", saved(toy, model, toy.run.digest("affinity"))
    step = toy.step("walks", cams=toy.cams, model=path, out=out)
    walk_cams(step)
    shard = WalkShard(out)
    assert shard.digest == step.digest and shard.ids == tuple(record.id for record in toy.index)
    direct = walk_maps(network(model), toy.index, holder(toy.cams), step.section, batch=1, workers=0)
    for one, other in zip(shard, direct, strict=True):
        np.testing.assert_array_equal(one.scales[1.0], other.scales[1.0])
    with pytest.raises(UserError, match=r"shard 1 does not exist; run toy has cams\.shards = 1, numbered"):
        walk_cams(toy.step("walks", cams=toy.cams, model=path, shard=1, out=out))
    with pytest.raises(UserError, match=r"affinity\.safetensors: made from another configuration"):
        walk_cams(toy.step("walks", cams=toy.cams, model=saved(toy, model, "0"), out=out))
