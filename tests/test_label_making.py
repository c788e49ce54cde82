"""Affinity labels and pseudo labels in shards, and how they are scored: on what they say, with coverage."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.chain import CLASSES, Toy, classes_of, walks_of

from workflow.scripts.evaluate_labels import evaluate_labels
from workflow.scripts.evaluate_walks import evaluate_walks
from workflow.scripts.make_affinity_labels import make_affinity_labels
from workflow.scripts.make_pseudo_labels import make_pseudo_labels
from wsss.data.images import read_image
from wsss.data.index import Index, Record
from wsss.data.palette import voc_palette
from wsss.errors import UserError
from wsss.evaluation.labels import score_labels
from wsss.inference.shards import open_shards
from wsss.labels import affinity_label, pseudo_label
from wsss.store.cams import CamShard
from wsss.store.files import write_png
from wsss.store.label_maps import LabelShard, write_label_shard
from wsss.store.walks import WalkShard


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def pixels(record: Record) -> np.ndarray:
    """An image, (H, W, 3)."""
    return np.asarray(read_image(record.image))


# ---- affinity labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("saliency", ["c2am_h", "none"])
@pytest.mark.parametrize("iterations", [0, 2])
def test_affinity_labels_follow_the_rule(tmp_path: Path, saliency: str, iterations: int) -> None:
    """With saliency or without, with the CRF's options or without a CRF; the rule has tests of its own."""
    labels = {"iterations": iterations, "gt_prob": 0.6, "fg_threshold": 0.5, "bg_threshold": 0.2}
    toy = Toy(tmp_path, saliency=saliency, affinity={"labels": labels})
    out = tmp_path / "labels" / "000"
    step = toy.step("affinity_labels", cams=toy.cams, saliency=toy.saliency, out=out)
    make_affinity_labels(step)
    made = LabelShard(out)
    assert made.digest == step.digest and made.ids == tuple(record.id for record in toy.index)
    cams, salient = CamShard(toy.cams), None
    for record in toy.index:
        maps = cams[record.id]
        if toy.saliency is not None:
            salient = LabelShard(toy.saliency)[record.id].astype(np.float32) / 255
        expected = affinity_label(pixels(record), maps.full(), salient, maps.keys, **labels)  # type: ignore[arg-type]
        assert np.array_equal(made[record.id], expected), record.id
    assert classes_of(made["id5"]) == {0}, "an image without labels is all background"
    assert 255 in classes_of(made["id0"]) | classes_of(made["id1"]) | classes_of(made["id2"])
    with Image.open(made.path("id0")) as image:
        assert image.mode == "P" and image.getpalette() == voc_palette().ravel().tolist()


def test_the_saliency_has_to_be_the_runs(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    out = tmp_path / "000"
    with pytest.raises(UserError, match="makes its affinity labels with the saliency of stage saliency_crf"):
        make_affinity_labels(toy.step("affinity_labels", cams=toy.cams, saliency=None, out=out))
    foreign = tmp_path / "foreign"
    write_label_shard(foreign, [], digest="0")
    with pytest.raises(UserError, match="foreign: made from another configuration"):
        make_affinity_labels(toy.step("affinity_labels", cams=toy.cams, saliency=foreign, out=out))
    bare = Toy(tmp_path / "bare", saliency="none")
    with pytest.raises(UserError, match="makes its affinity labels with no saliency"):
        make_affinity_labels(bare.step("affinity_labels", cams=bare.cams, saliency=toy.saliency, out=out))
    assert not out.exists()


def test_an_image_whose_saliency_does_not_fit_is_named(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    assert toy.saliency is not None
    write_png(LabelShard(toy.saliency).path("id2"), np.zeros((9, 9), np.uint8))
    with pytest.raises(UserError, match=r"id2: .*saliency \(9, 9\) of an image of"):
        make_affinity_labels(
            toy.step("affinity_labels", cams=toy.cams, saliency=toy.saliency, out=tmp_path / "0")
        )


# ---- pseudo labels -----------------------------------------------------------------------------------------


def test_pseudo_labels_follow_the_rule(tmp_path: Path) -> None:
    labels = {"threshold": 0.5, "iterations": 2, "gt_prob": 0.8}
    toy = Toy(tmp_path, segmentation={"pseudo": labels})
    out, walks = tmp_path / "000", walks_of(toy)
    step = toy.step("pseudo_labels", walks=walks, out=out)
    make_pseudo_labels(step)
    made, maps = LabelShard(out), WalkShard(walks)
    assert made.digest == step.digest and made.ids == maps.ids
    for record in toy.index:
        scores = maps[record.id].full()
        assert scores.shape[1:] == maps[record.id].size
        expected = pseudo_label(pixels(record), scores, maps[record.id].keys, **labels)  # type: ignore[arg-type]
        assert np.array_equal(made[record.id], expected), record.id
    assert classes_of(made["id5"]) == {0}
    assert all(255 not in classes_of(array) for _, array in made)
    with pytest.raises(UserError, match=r"cams.*made from another configuration"):
        make_pseudo_labels(toy.step("pseudo_labels", walks=toy.cams, out=out))


# ---- scores ------------------------------------------------------------------------------------------------


def test_label_maps_are_scored_where_they_say_something(tmp_path: Path) -> None:
    mask = np.array([[0, 0, 1, 1], [2, 2, 255, 255]], np.uint8)
    write_png(tmp_path / "m.png", mask)
    write_png(tmp_path / "i.png", np.zeros((2, 4, 3), np.uint8))
    records = (
        Record("a", tmp_path / "i.png", tmp_path / "m.png", ("x",)),
        Record("b", tmp_path / "i.png", None, ()),
    )
    index = Index(records, ("x", "y", "z"), "train", "d")
    labels = np.array([[0, 255, 1, 0], [2, 255, 255, 1]], np.uint8)
    write_label_shard(tmp_path / "0", [("a", labels)], digest="e")
    found = score_labels({"a": LabelShard(tmp_path / "0")}, index, progress=False)
    assert found["coverage"] == pytest.approx(100 * 4 / 6)
    iou = found["iou"]
    assert list(iou) == ["background", "x", "y", "z"]
    assert [iou["background"], iou["x"], iou["y"]] == pytest.approx([50, 50, 100]) and np.isnan(iou["z"])
    assert found["miou"] == pytest.approx(200 / 3)
    assert found["protocol"]["images"] == 1 and found["protocol"]["images_without_mask"] == 1
    assert found["protocol"]["digest"] == "e"
    with pytest.raises(UserError, match="split train: none of its 1 images has a mask"):
        score_labels({}, replace(index, records=records[1:]))
    write_label_shard(tmp_path / "0", [("a", labels[:, :3])], digest="e")
    with pytest.raises(UserError, match=r"a: .*a.png has 3 x 2 pixels, but the mask .*m.png has 4 x 2"):
        score_labels({"a": LabelShard(tmp_path / "0")}, index, progress=False)
    write_label_shard(tmp_path / "0", [("a", np.full((2, 4), 9, np.uint8))], digest="e")
    with pytest.raises(UserError, match=r"a: prediction holds \[9\]"):
        score_labels({"a": LabelShard(tmp_path / "0")}, index, progress=False)


def test_a_perfect_map_scores_100_and_a_missing_one_is_named(tmp_path: Path) -> None:
    toy, out = Toy(tmp_path), tmp_path / "metrics.json"
    truth = toy.truth("pseudo_labels")
    step = toy.step("pseudo_labels", maps=[truth], out=out)
    evaluate_labels(step)
    metrics = json.loads(out.read_text())
    assert (metrics["miou"], metrics["coverage"]) == (100, 100)
    assert metrics["run"] == "toy" and metrics["digest"] == step.digest
    some = [(image_id, array) for image_id, array in LabelShard(truth) if image_id not in ("id1", "id4")]
    write_label_shard(tmp_path / "some", some, digest=step.digest)
    with pytest.raises(
        UserError, match="pseudo_labels: 2 images are in none of the 1 shards given: id1, id4"
    ):
        evaluate_labels(toy.step("pseudo_labels", maps=[tmp_path / "some"], out=out))


def test_walks_are_scored_at_every_threshold(tmp_path: Path) -> None:
    toy, out, curve = Toy(tmp_path), tmp_path / "walks.json", tmp_path / "walks.csv"
    walks = walks_of(toy)
    step = toy.step("walks_metrics", walks=[walks], out=out, curve=curve)
    evaluate_walks(step)
    metrics = json.loads(out.read_text())
    assert metrics["digest"] == step.digest and "walked CAMs" in metrics["protocol"]["maps"]
    assert len(metrics["curve"]) == 16 == len(curve.read_text().splitlines()) - 1
    assert metrics["protocol"]["images"] == 6 and set(metrics["iou"]) == {"background", *CLASSES}
    with pytest.raises(UserError, match=r"cams\.safetensors: made from another configuration"):
        evaluate_walks(toy.step("walks_metrics", walks=[toy.cams], out=out, curve=curve))


def test_a_stage_is_opened_by_the_reader_of_its_maps(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    step = toy.step("pseudo_labels")
    with pytest.raises(TypeError, match=r"^walks writes WalkShard, which no CamShard reads$"):
        open_shards(step, "walks", CamShard, [walks_of(toy)], toy.index)
    with pytest.raises(UserError, match=r"cams\.safetensors: id0: its maps are .*: no walked CAMs"):
        WalkShard(toy.cams)["id0"]
