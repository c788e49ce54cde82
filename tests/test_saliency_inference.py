"""Saliency maps and masks of images, in shards: what they are, what is refused, and what they score."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.images import SIZES, make_cams, make_images, make_masks
from support.tiny import BACKBONE

from wsss.config import SaliencyCrfConfig
from wsss.crf import refine_labels
from wsss.data.index import Index
from wsss.errors import UserError
from wsss.evaluation.saliency import score_saliency
from wsss.figures.plots import saliency_curve
from wsss.figures.saliency import saliency_sheet
from wsss.inference.cam_network import C2amNetwork
from wsss.inference.device_network import DeviceNetwork
from wsss.inference.saliency import c2am_maps, poolnet_maps
from wsss.inference.saliency_masks import saliency_masks
from wsss.inference.shards import open_shards
from wsss.machine import fanout
from wsss.metrics import ConfusionMatrix
from wsss.models import C2AM, PoolNet
from wsss.store.cams import ActivationMaps, ActivationShard, CamShard
from wsss.store.files import write_json
from wsss.store.label_maps import LabelShard, write_label_shard
from wsss.store.maps import write_shard
from wsss.store.networks import Header, load_network, save_model
from wsss.store.shards import open_saliency, saliency_of

THRESHOLDS = (0.1, 0.3, 0.5)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return make_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def c2am() -> C2AM:
    torch.manual_seed(0)
    return C2AM(BACKBONE).eval()


@pytest.fixture(scope="module")
def poolnet() -> PoolNet:
    torch.manual_seed(0)
    network = PoolNet(BACKBONE).eval()
    with torch.no_grad():
        network.score.bias.fill_(0.4)
        for parameter in network.parameters():
            parameter *= 1.2  # its logits are all but 0 at the start
    return network


def activations(model: C2AM, index: Index, *, reverse: bool = False) -> list[ActivationMaps]:
    """Maps at two scales."""
    network = C2amNetwork(model, torch.device("cpu"), "float32", flip=True, reverse=reverse)
    return list(c2am_maps(network, index, (0.5, 1.0)))


def saliency_by(model: PoolNet) -> DeviceNetwork:
    """PoolNet as inference uses it."""
    return DeviceNetwork(model, torch.device("cpu"), "float32")


@pytest.fixture(scope="module")
def maps(c2am: C2AM, index: Index) -> list[ActivationMaps]:
    return activations(c2am, index)


@pytest.fixture
def stored(tmp_path: Path, maps: list[ActivationMaps]) -> dict[str, ActivationShard]:
    """The maps in a file, by image."""
    write_shard(tmp_path / "maps.safetensors", maps, digest="d")
    shard = ActivationShard(tmp_path / "maps.safetensors")
    return dict.fromkeys(shard.ids, shard)


# ---- C2AM --------------------------------------------------------------------------------------------------


@torch.no_grad()
def activation(model: C2AM, image: Image.Image, scale: float) -> torch.Tensor:
    """Raw, of an image and of its mirror image, which is turned back."""
    size = round(image.width * scale), round(image.height * scale)
    x = model.normalization(np.asarray(image.resize(size, Image.Resampling.BICUBIC)))
    straight, mirrored = model(torch.stack([x, x.flip(-1)]))[2]
    return torch.stack([straight, mirrored.flip(-1)])


@pytest.mark.parametrize("reverse", [False, True])
def test_maps_are_positive_activations_of_both_directions(c2am: C2AM, index: Index, reverse: bool) -> None:
    found = activations(c2am, index, reverse=reverse)
    assert [item.id for item in found] == [record.id for record in index]
    assert [item.size for item in found] == SIZES
    for item, record in zip(found, index, strict=True):
        assert item.keys.tolist() == [0, 1], "also of images without labels"
        for scale in (0.5, 1.0):
            raw = activation(c2am, Image.open(record.image), scale)
            expected = (-raw if reverse else raw).relu().sum(dim=0)
            np.testing.assert_allclose(item.scales[scale], expected.numpy(), rtol=0, atol=1e-5)


def test_shards_of_maps_share_out_the_images(c2am: C2AM, index: Index, maps: list[ActivationMaps]) -> None:
    for i in range(2):
        part = activations(c2am, index.shard(i, 2))
        assert [item.id for item in part] == [item.id for item in maps[i::2]]
        np.testing.assert_array_equal(part[0].scales[1.0], maps[i].scales[1.0])


# ---- CRF ---------------------------------------------------------------------------------------------------


def test_masks_are_the_crf_of_what_exceeds_the_threshold(
    index: Index, stored: dict[str, ActivationShard]
) -> None:
    settings = SaliencyCrfConfig(threshold=0.3, iterations=2)
    found = dict(saliency_masks(stored, index, settings))
    assert list(found) == [record.id for record in index]
    for record, size in zip(index, SIZES, strict=True):
        mask = found[record.id]
        assert mask.dtype == np.uint8 and mask.shape == size
        if not record.labels:
            assert not mask.any(), "an image without labels shows no object"
            continue
        image = np.asarray(Image.open(record.image))
        salient = stored[record.id][record.id].full() > 0.3
        expected = 255 * refine_labels(image, salient, 2, iterations=2, gt_prob=0.7)
        np.testing.assert_array_equal(mask, expected)


def test_without_iterations_the_threshold_stands(index: Index, stored: dict[str, ActivationShard]) -> None:
    masks = saliency_masks(stored, index, SaliencyCrfConfig(iterations=0), shard=(1, 2))
    found = dict(masks)
    assert list(found) == ["id1", "id3", "id5"]
    assert np.array_equal(found["id1"] > 0, stored["id1"]["id1"].full() > 0.2)


def test_a_split_without_labels_has_masks_all_the_same(
    index: Index, stored: dict[str, ActivationShard]
) -> None:
    """Of VOC's `test` nobody knows the labels; that is no reason to take its images for empty ones."""
    unknown = replace(index, records=tuple(replace(record, labels=()) for record in index))
    masks = dict(saliency_masks(stored, unknown, SaliencyCrfConfig(iterations=0)))
    assert all(mask.any() for mask in masks.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: replace(m, size=(9, 9)), r"id1: C2AM map for 9 x 9 pixels, but .*1.png has 64 x 48"),
        (lambda m: replace(m, scales={1.0: np.full((1, 3, 4), np.nan, np.float32)}), "id1: .* not finite"),
    ],
)
def test_a_bad_map_is_named(
    tmp_path: Path, index: Index, maps: list[ActivationMaps], change: Any, message: str
) -> None:
    wrong = [change(item) if item.id == "id1" else item for item in maps]
    write_shard(tmp_path / "wrong.safetensors", wrong, digest="d")
    shard = ActivationShard(tmp_path / "wrong.safetensors")
    masks = saliency_masks(dict.fromkeys(shard.ids, shard), index, SaliencyCrfConfig(iterations=1))
    with pytest.raises(UserError, match=message):
        list(masks)


def test_a_map_without_any_activation_is_all_background(tmp_path: Path, index: Index) -> None:
    maps = [
        ActivationMaps(r.id, size, np.array([0, 1]), {1.0: np.zeros((1, 3, 3), np.float32)})
        for r, size in zip(index, SIZES, strict=True)
    ]
    write_shard(tmp_path / "zero.safetensors", maps, digest="d")
    shard = ActivationShard(tmp_path / "zero.safetensors")
    masks = saliency_masks(dict.fromkeys(shard.ids, shard), index, SaliencyCrfConfig())
    assert not any(mask.any() for _, mask in masks)


# ---- PoolNet -----------------------------------------------------------------------------------------------


def test_saliency_is_the_sigmoid_in_8_bits(poolnet: PoolNet, index: Index) -> None:
    found = list(poolnet_maps(saliency_by(poolnet), index))
    assert [name for name, _ in found] == [record.id for record in index]
    for (_, saliency), record, size in zip(found, index, SIZES, strict=True):
        assert saliency.dtype == np.uint8 and saliency.shape == size
        with torch.no_grad():
            logits = poolnet(poolnet.normalization(np.asarray(Image.open(record.image)))[None])[0, 0]
        np.testing.assert_allclose(saliency, 255 * logits.sigmoid().numpy(), atol=0.51)
    assert [name for name, _ in poolnet_maps(saliency_by(poolnet), index.shard(1, 4))] == ["id1", "id5"]


def test_batches_of_one_size_change_no_saliency(
    poolnet: PoolNet, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = list(poolnet_maps(saliency_by(poolnet), index))
    monkeypatch.setattr(DeviceNetwork, "loading", lambda self, batch, workers: (batch, workers))
    many = list(poolnet_maps(saliency_by(poolnet), index, batch=2, workers=1))
    for (name, saliency), (other, expected) in zip(many, one, strict=True):
        assert name == other
        np.testing.assert_allclose(saliency.astype(int), expected.astype(int), atol=1)


def test_saliency_that_is_not_finite_is_refused(index: Index) -> None:
    broken = PoolNet(BACKBONE)
    with torch.no_grad():
        broken.score.weight.fill_(torch.nan)
    with pytest.raises(UserError, match="images id0: saliency is not finite in float32"):
        list(poolnet_maps(saliency_by(broken), index))


# ---- files -------------------------------------------------------------------------------------------------


def test_the_polarity_is_kept_with_the_model(tmp_path: Path, c2am: C2AM, poolnet: PoolNet) -> None:
    save_model(tmp_path / "c2am.safetensors", c2am, Header("C2AM", BACKBONE, 16, ("a",), "d", flip=True))
    save_model(tmp_path / "poolnet.safetensors", poolnet, Header("PoolNet", BACKBONE, 16, ("a",), "d"))
    found, about = load_network(tmp_path / "c2am.safetensors", C2AM)
    assert about.flip and about.digest == "d" and not found.training
    other, header = load_network(tmp_path / "poolnet.safetensors", PoolNet)
    assert not header.flip
    x = torch.rand(1, 3, 48, 64)
    with torch.no_grad():
        assert torch.equal(found(x)[2], c2am(x)[2]) and torch.equal(other(x), poolnet(x))
    with pytest.raises(UserError, match="holds a PoolNet; needed is a C2AM"):
        load_network(tmp_path / "poolnet.safetensors", C2AM)


def test_given_shards_hold_all_images_and_are_of_this_run(tmp_path: Path, index: Index) -> None:
    masks = make_masks(tmp_path / "masks", index.shard(0, 1))

    class Asks:
        """A step that asks for the digest d."""

        def require(self, stage: str, digest: str, path: Path) -> None:
            if digest != "d":
                raise UserError(f"{path}: made from another configuration of {stage}")

    step: Any = Asks()
    assert set(open_shards(step, "saliency_crf", LabelShard, [masks], index)) == {r.id for r in index}
    more = (*index, replace(index.records[0], id="new"))
    with pytest.raises(UserError, match="saliency_crf: 1 images are in none of the 1 shards given: new"):
        open_shards(step, "saliency_crf", LabelShard, [masks], more)
    other = make_masks(tmp_path / "other", index, digest="e")
    with pytest.raises(UserError, match="other: made from another configuration of saliency_crf"):
        open_shards(step, "saliency_crf", LabelShard, [other], index)


# ---- scores and figures ------------------------------------------------------------------------------------


@pytest.fixture
def shards(tmp_path: Path, index: Index, maps: list[ActivationMaps]) -> dict[str, list[Path]]:
    """CAMs and every kind of saliency, in two shards each."""
    found: dict[str, list[Path]] = {"cams": [], "c2am": [], "crf": [], "poolnet": []}
    cams = list(CamShard(make_cams(tmp_path / "all.safetensors", index)))
    masks = list(LabelShard(make_masks(tmp_path / "all", index)))
    rng = np.random.default_rng(0)
    soft = [(name, rng.integers(0, 256, mask.shape, dtype=np.uint8)) for name, mask in masks]
    for i in range(2):
        for name, maps_of in (("cams", cams), ("c2am", maps)):
            found[name].append(tmp_path / f"{name}{i}.safetensors")
            write_shard(found[name][-1], maps_of[i::2], digest="d")
        for name, maps_of_8_bits in (("crf", masks), ("poolnet", soft)):
            found[name].append(tmp_path / f"{name}{i}")
            write_label_shard(found[name][-1], maps_of_8_bits[i::2], digest="d")
    return found


def evaluate(shards: dict[str, list[Path]], index: Index, **options: Any) -> dict[str, Any]:
    """Score all kinds."""
    kinds = {name: paths for name, paths in shards.items() if name != "cams"}
    options = {"thresholds": THRESHOLDS, "progress": False} | options
    return score_saliency(kinds, shards["cams"], index, **options)


def test_scores_are_those_of_a_plain_loop(shards: dict[str, list[Path]], index: Index) -> None:
    result = evaluate(shards, index)
    cams = {maps.id: maps for path in shards["cams"] for maps in CamShard(path)}
    assert result["protocol"]["images"] == 6
    for name in ("c2am", "crf", "poolnet"):
        saliency = {
            image_id: saliency_of(shard, image_id)
            for shard in map(open_saliency, shards[name])
            for image_id in shard.ids
        }
        matrices, with_cams = [ConfusionMatrix(2) for _ in THRESHOLDS], ConfusionMatrix(4)
        for record in index:
            mask = np.asarray(Image.open(record.mask))  # type: ignore[arg-type]
            objects = np.where(mask == 255, 255, mask > 0).astype(np.uint8)
            for matrix, threshold in zip(matrices, THRESHOLDS, strict=True):
                matrix.update((saliency[record.id] > np.float32(threshold)).astype(np.uint8), objects)
            scores = np.concatenate([1 - saliency[record.id][None], cams[record.id].full()])
            with_cams.update(cams[record.id].keys[scores.argmax(0)], mask)
        mious = [100 * matrix.miou() for matrix in matrices]
        assert [row[name] for row in result["curve"]] == pytest.approx(mious)
        assert result[name]["miou"] == pytest.approx(max(mious))
        assert result[name]["threshold"] == THRESHOLDS[int(np.argmax(mious))]
        assert result[name]["cams"]["miou"] == pytest.approx(100 * with_cams.miou())
        assert list(result[name]["iou"]) == ["background", "object"]
    assert [row["threshold"] for row in result["curve"]] == list(THRESHOLDS)


def test_processes_change_no_score(
    shards: dict[str, list[Path]], index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = evaluate(shards, index)
    monkeypatch.setattr(fanout, "IMAGES_PER_PROCESS", 1)
    assert evaluate(shards, index, workers=2) == one
    write_json(tmp_path / "saliency.json", one)
    assert json.loads((tmp_path / "saliency.json").read_text()) == one


def test_what_cannot_be_scored_is_named(shards: dict[str, list[Path]], index: Index, tmp_path: Path) -> None:
    swapped = shards | {"crf": shards["crf"][::-1]}
    with pytest.raises(UserError, match="no map of image id0 among its 3 images"):
        evaluate(swapped, index)
    small = [(record.id, np.zeros((9, 9), np.uint8)) for record in index.shard(0, 2)]
    write_label_shard(tmp_path / "small", small, digest="d")
    with pytest.raises(UserError, match=r"id0: crf \(9, 9\), CAMs \(48, 64\) and mask \(48, 64\) have to be"):
        evaluate(shards | {"crf": [tmp_path / "small", shards["crf"][1]]}, index)
    unmasked = replace(index, records=tuple(replace(record, mask=None) for record in index))
    with pytest.raises(UserError, match="split train: none of its 6 images has a mask"):
        evaluate(shards, unmasked)


def test_figures_show_the_kinds_there_are(
    shards: dict[str, list[Path]], index: Index, tmp_path: Path
) -> None:
    for without in ([], ["poolnet"]):
        given = {name: [] if name in without else paths for name, paths in shards.items()}
        kinds = [name for name in ("c2am", "crf", "poolnet") if given[name]]
        metrics = {"run": "x", "kinds": kinds, **evaluate({k: v for k, v in given.items() if v}, index)}
        saliency_sheet(tmp_path / f"{len(kinds)}.png", index, given, metrics, shown=3)
        saliency_curve(tmp_path / "curve.png", metrics)
        assert Image.open(tmp_path / "curve.png").size[0] > 100
    wide, narrow = (Image.open(tmp_path / f"{count}.png").size for count in (3, 2))
    assert wide[0] > narrow[0] and wide[1] == narrow[1]
