"""Regions as a stage: where they come from, how they are kept, and that they vote on pseudo labels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco
from support.chain import Toy, walks_of

from workflow.scripts.make_pseudo_labels import make_pseudo_labels
from workflow.scripts.make_regions import make_regions
from wsss.config import RegionsConfig
from wsss.data.index import Record
from wsss.errors import UserError
from wsss.inference.region_sources import image_regions, of_labels
from wsss.inference.regions import vote_sams, vote_sepl
from wsss.runs.run import stages
from wsss.store.files import write_png
from wsss.store.label_maps import LabelShard
from wsss.store.regions import Regions, RegionShard, write_region_shard
from wsss.store.walks import WalkShard


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """An image of two halves, each with little noise."""
    image = np.full((30, 40, 3), (200, 40, 60), np.int64)
    image[:, 20:] = (20, 160, 90)
    image += np.random.default_rng(0).integers(-3, 4, image.shape)
    path = tmp_path / "a.png"
    write_png(path, image.astype(np.uint8))
    return Record("a", path, None, ())


def config(**keys: Any) -> RegionsConfig:
    return RegionsConfig.model_validate(keys)


def rle(mask: np.ndarray) -> dict[str, Any]:
    code = coco.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(code["size"]), "counts": code["counts"].decode()}


def test_regions_are_written_and_read(tmp_path: Path) -> None:
    masks = np.random.default_rng(0).random((5, 7, 9)) > 0.5
    masks[3] = False
    some = Regions("a", masks, np.array([0, 1, 2, 0, 1], np.uint8))
    none = Regions("b/ü", np.zeros((0, 4, 3), bool), np.zeros(0, np.uint8))
    path = tmp_path / "000.safetensors"
    write_region_shard(path, [some, none], digest="d")
    shard = RegionShard(path)
    assert (shard.digest, shard.ids, len(shard)) == ("d", ("a", "b/ü"), 2)
    for found, expected in zip(shard, (some, none), strict=True):
        np.testing.assert_array_equal(found.masks, expected.masks)
        np.testing.assert_array_equal(found.level, expected.level)
    with pytest.raises(UserError, match="no regions of image c"):
        shard["c"]
    with pytest.raises(ValueError, match="twice"):
        write_region_shard(path, [some, some], digest="d")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UserError, match=r"000\.safetensors: no whole"):
        RegionShard(path)


@pytest.mark.parametrize("source", ["felzenszwalb", "slic"])
def test_superpixels_divide_an_image_along_its_edges(record: Record, source: str) -> None:
    found = image_regions(record, config(source=source, min_size=20, segments=6))
    np.testing.assert_array_equal(found.masks.sum(0), 1)
    assert 2 <= len(found.masks) <= 30
    left = found.masks[:, :, :20].sum((1, 2)) / found.masks.sum((1, 2))
    assert set(left.round(2)) <= {0.0, 1.0}
    assert found.level.tolist() == [0] * len(found.masks)


def test_large_and_empty_regions_are_left_out(record: Record, tmp_path: Path) -> None:
    whole, half, empty = np.ones((30, 40), bool), np.zeros((30, 40), bool), np.zeros((30, 40), bool)
    half[:, :20] = True
    entries = [{"segmentation": rle(mask), "level": 2} for mask in (whole, half, empty)]
    root = tmp_path / "masks"
    root.mkdir()
    (root / "a.json").write_text(json.dumps(entries))
    found = image_regions(record, config(source="folder", root=root))
    np.testing.assert_array_equal(found.masks, half[None])
    assert found.level.tolist() == [2]
    everything = image_regions(record, config(source="folder", root=root, largest=1))
    np.testing.assert_array_equal(everything.masks, [whole, half])


def test_masks_come_as_a_map_of_numbers_or_as_sam_writes_them(record: Record, tmp_path: Path) -> None:
    root = tmp_path / "sam"
    root.mkdir()
    numbers = np.zeros((30, 40), np.uint8)
    numbers[:10], numbers[20:, 5:] = 7, 9
    (root / "a.json").write_text(json.dumps({"annotations": [{"segmentation": rle(numbers == 9)}]}))
    found = image_regions(record, config(source="folder", root=root))
    np.testing.assert_array_equal(found.masks, (numbers == 9)[None])
    write_png(root / "a.png", numbers)
    found = image_regions(record, config(source="folder", root=root))
    np.testing.assert_array_equal(found.masks, of_labels(numbers))
    np.testing.assert_array_equal(found.masks, [numbers == 7, numbers == 9])


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("b.json", "[]", r"a: neither .*a\.png nor a\.json"),
        ("a.json", "[1]", r"a\.json: no list of masks"),
        ("a.json", "{", r"a\.json: no list of masks"),
        ("a.json", json.dumps([{"segmentation": rle(np.ones((3, 4)))}]), r"a: masks \(3, 4\).*\(30, 40\)"),
    ],
)
def test_folders_that_do_not_fit_are_named(
    record: Record, tmp_path: Path, name: str, text: str, says: str
) -> None:
    root = tmp_path / "masks"
    root.mkdir()
    (root / name).write_text(text)
    with pytest.raises(UserError, match=says):
        image_regions(record, config(source="folder", root=root))


@pytest.mark.parametrize("vote", ["max_iou_imp2", "fma", "sams"])
def test_regions_vote_on_pseudo_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vote: str) -> None:
    monkeypatch.chdir(tmp_path)
    toy = Toy(tmp_path, segmentation={"pseudo": {"vote": vote, "iterations": 0, "threshold": 0.5}})
    assert "regions" in stages(toy.run)
    path, walks = tmp_path / "regions.safetensors", walks_of(toy)
    step = toy.step("regions", out=path)
    make_regions(step)
    regions = RegionShard(path)
    assert regions.digest == step.digest and regions.ids == tuple(record.id for record in toy.index)
    make_pseudo_labels(toy.step("pseudo_labels", walks=walks, regions=path, out=tmp_path / "voted"))
    voted = LabelShard(tmp_path / "voted")
    changed = 0
    for maps in WalkShard(walks):
        found, scores = regions[maps.id], maps.full()
        everything = np.concatenate([np.full_like(scores[:1], 0.5), scores]) if len(scores) else None
        labels = np.zeros(maps.size, np.uint8) if everything is None else maps.keys[everything.argmax(0)]
        if vote == "sams":
            expected = vote_sams(scores, maps.keys[1:] - 1, found.masks, found.level)
        else:
            expected = vote_sepl(labels, found.masks, rule=vote)
        np.testing.assert_array_equal(voted[maps.id], expected)
        changed += int((expected != labels).sum())
    assert changed


def test_a_run_without_votes_has_no_regions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "regions" not in stages(Toy(tmp_path).run)
    with pytest.raises(ValueError, match="root must be set"):
        config(source="folder")
