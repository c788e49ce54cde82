"""CLIP-ES as the prior of a run: text vectors, CAMs in the usual store, and no training before them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.workflow import TINY, planned, snakemake, write_run
from torch import Tensor

from wsss.config import PriorsConfig
from wsss.errors import UserError
from wsss.inference.clip_network import ClipCamNetwork, unstretched
from wsss.inference.text_vectors import open_clip_encoder, text_vectors, vectors_of_classes
from wsss.models.clip import clip_tower
from wsss.runs.run import load_run, stages
from wsss.store.cams import CamMaps, CamShard
from wsss.store.files import read_json
from wsss.store.text import TextVectors, is_text, read_text, write_text

TOWER, MODEL = "vit_xsmall_patch16_clip_224", "ViT-S-32-alt"
CLIP: dict[str, Any] = {
    **TINY,
    "priors": {
        "method": "clip_es",
        "network": {"backbone": TOWER, "weights": "none"},
        "text": {"model": MODEL, "pretrained": None, "background": ["ground", "sky"]},
    },
    "cams": {"scales": [1.0, 2.0], "shards": 2},
    "saliency": {"method": "none"},
}


def unit(*rows: list[float]) -> np.ndarray:
    vectors = np.array(rows, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def text(**changes: Any) -> TextVectors:
    generator = np.random.default_rng(0)
    background, vectors = unit(*generator.normal(size=(2, 8))), unit(*generator.normal(size=(3, 8)))
    made = TextVectors(("a", "b", "c"), vectors, ("ground", "sky"), background, 4.6, TOWER, "none")
    return replace(made, **changes)


def section(**keys: Any) -> PriorsConfig:
    network = {"backbone": TOWER, "weights": "none"}
    return PriorsConfig.model_validate({"method": "clip_es", "network": network, "text": keys})


def test_a_vector_is_the_mean_over_prompts_and_synonyms() -> None:
    known: dict[str, list[float]] = {
        "a dog": [3, 0, 0],
        "one dog": [0, 1, 0],
        "a cat": [0, 0, 2],
        "one cat": [0, 0, 1],
        "a tom": [1, 0, 0],
        "one tom": [1, 0, 0],
    }

    def encode(sentences: list[str]) -> Tensor:
        return torch.tensor([known[sentence] for sentence in sentences]).float()

    found = text_vectors(encode, ["dog", "cat"], ["a {}", "one {}"], {"cat": ["cat", "tom"]})
    np.testing.assert_allclose(found, unit([1, 1, 0], [1, 0, 1]), atol=1e-6)


def test_the_text_tower_is_open_clip_s() -> None:
    encode, logit_scale = open_clip_encoder(MODEL, None)
    rows = encode(["a cat", "a dog", "a cat"])
    assert rows.shape == (3, 256)
    assert logit_scale == pytest.approx(np.log(1 / 0.07), abs=1e-3)
    torch.testing.assert_close(rows[0], rows[2])
    assert not torch.allclose(rows[0], rows[1])
    with pytest.raises(UserError, match=r"priors\.text\.model 'ViT-Z'"):
        open_clip_encoder("ViT-Z", None)
    with pytest.raises(UserError, match=r"priors\.text\.pretrained 'nowhere'"):
        open_clip_encoder(MODEL, "nowhere")


def test_vectors_are_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "text.safetensors"
    write_text(path, text(), digest="d")
    found, digest = read_text(path)
    assert digest == "d" and is_text(path)
    for name, value in vars(text()).items():
        np.testing.assert_array_equal(getattr(found, name), value)
    with pytest.raises(ValueError, match="length"):
        write_text(path, text(vectors=2 * text().vectors), digest="d")
    path.write_bytes(path.read_bytes()[:100])
    assert not is_text(path)
    with pytest.raises(UserError, match=r"text\.safetensors: no whole file"):
        read_text(path)


def test_vectors_of_another_machine_take_the_text_tower_s_place(tmp_path: Path) -> None:
    path = tmp_path / "text.safetensors"
    write_text(path, text(backbone="another"), digest="another")
    found = vectors_of_classes(section(vectors=path), ("a", "b", "c"))
    np.testing.assert_array_equal(found.vectors, text().vectors)
    assert found.backbone == TOWER
    with pytest.raises(UserError, match="of a, b, c; the images have a, c"):
        vectors_of_classes(section(vectors=path), ("a", "c"))
    with pytest.raises(UserError, match="dog is no class of the images, which have a, b"):
        vectors_of_classes(section(synonyms={"dog": ["hound"]}), ("a", "b"))


def test_maps_are_resampled_to_cells_of_16_pixels() -> None:
    """A ramp over the image is the same ramp afterwards, whatever its size is."""
    height, width = 100, 130
    ramp = (torch.arange(9) + 0.5) / 9 * width
    maps = unstretched(ramp.expand(2, 7, 9), (height, width))
    assert maps.shape == (2, 7, 9)
    np.testing.assert_allclose(maps[0, 3, :8], 16 * torch.arange(8) + 8, atol=1e-3)
    exact = torch.rand(1, 4, 5)
    torch.testing.assert_close(unstretched(exact, (64, 80)), exact)
    assert unstretched(exact[:0], (70, 80)).shape == (0, 5, 5)


def test_maps_in_the_store_equal_the_published_ones(shared: Path, golden_tower: Any) -> None:
    with np.load(shared / "golden" / "clip_es.npz") as file:
        image, rows, expected = file["a_image"], file["text"], file["a_highres"].astype(np.float32)
        logit_scale = float(file["logit_scale"])
    vectors = TextVectors(("a", "b", "c"), rows[:3], tuple("defgh"), rows[3:], logit_scale, TOWER, "none")
    network = ClipCamNetwork(golden_tower, vectors, torch.device("cpu"), flip=False)
    (maps,) = network(torch.from_numpy(image)[None], [[0, 1, 2]], "an image")
    stored = CamMaps("a", (224, 320), np.arange(4), {1.0: maps})
    full = stored.full()[:, ::4, ::4]
    peaks = expected.sum((1, 2), keepdims=True) / full.sum((1, 2), keepdims=True)
    assert ((peaks > 0.95) & (peaks < 1)).all()  # the store divides by the maximum once more, after resizing
    np.testing.assert_allclose(full * peaks, expected, rtol=0, atol=1e-3)


def test_classes_compete_and_mirror_images_are_added() -> None:
    torch.manual_seed(0)
    tower = clip_tower(TOWER, None, 8)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 60, 50, 3), np.uint8))
    once = ClipCamNetwork(tower, text(), torch.device("cpu"), flip=False)
    both = ClipCamNetwork(tower, text(), torch.device("cpu"), flip=True)
    (straight,), (mirrored,) = once(images, [[0, 2]], "i"), once(images.flip(2), [[0, 2]], "i")
    (summed,) = both(images, [[0, 2]], "i")
    assert straight.shape == summed.shape == (2, 4, 4)
    assert 1 < summed.max() <= 2
    torch.testing.assert_close(unstretched(torch.from_numpy(straight), (64, 64)), torch.from_numpy(straight))
    assert np.abs(summed - straight).max() > 0.05 < np.abs(mirrored - straight).max()
    assert once(images, [[]], "i")[0].shape == (0, 4, 4)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda path: clip_tower("resnet50_clip", None, 8), "not an image tower of CLIP"),
        (lambda path: clip_tower("vit_tiny_patch16_224", None, 8), "not an image tower of CLIP"),
        (lambda path: clip_tower(TOWER, str(path), 8), r"cls_token.*\n.*unexpected \(2\): background"),
        (lambda path: clip_tower(TOWER, "gone.safetensors", 8), "no such file"),
    ],
)
def test_towers_that_do_not_fit_are_named(build: Callable[[Path], object], says: str, tmp_path: Path) -> None:
    path = tmp_path / "tower.safetensors"
    write_text(path, text(), digest="")
    with pytest.raises(UserError, match=says):
        build(path)


def test_a_run_trains_nothing_before_its_cams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path, "clip", CLIP)
    run = load_run("clip")
    assert stages(run)[:3] == ["index", "text", "cams"]
    target = "results/clip/metrics/cams.json"
    jobs = planned(tmp_path, target)
    assert not any(rule.startswith("train_") for rule in jobs) and jobs["encode_text"] == 1
    status, printed = snakemake(tmp_path, "--cores", "2", target)
    assert status == 0, printed
    assert set(read_json(tmp_path / target)["iou"]) >= {"background"}
    shards = [CamShard(tmp_path / f"results/clip/cams/train/{shard:03d}.safetensors") for shard in range(2)]
    assert shards[0].digest == run.digest("cams")
    maps = next(iter(shards[0]))
    assert list(maps.scales) == [1.0, 2.0] and maps.full().shape == (len(maps.keys) - 1, *maps.size)
    # The vectors, moved to a machine without the text tower.
    again = json.loads(json.dumps(CLIP))
    again["priors"]["text"] = {"vectors": "results/clip/models/text.safetensors", "model": "unknown-here"}
    write_run(tmp_path, "again", again)
    status, printed = snakemake(tmp_path, "--cores", "2", "results/again/models/text.safetensors")
    assert status == 0, printed
    copied, _ = read_text(tmp_path / "results/again/models/text.safetensors")
    made, _ = read_text(tmp_path / "results/clip/models/text.safetensors")
    np.testing.assert_array_equal(copied.vectors, made.vectors)


def test_a_backbone_that_is_no_clip_stops_before_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = {**CLIP, "priors": {"method": "clip_es"}}
    write_run(tmp_path, "clip", config)
    with pytest.raises(UserError, match=r"priors\.network\.backbone.*the image tower of a CLIP"):
        load_run("clip")
