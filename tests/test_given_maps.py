"""CAMs and saliency that a run is given: checked, kept as they are, named in its file, and used."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.chain import BACKBONE, CLASSES, Toy
from support.odd_data import Malicious
from support.workflow import planned, write_run

from workflow.scripts.evaluate_saliency import evaluate_saliency
from workflow.scripts.make_affinity_labels import make_affinity_labels
from workflow.scripts.walk_cams import walk_cams
from wsss.cli import main
from wsss.data.index import Index, Record
from wsss.errors import UserError
from wsss.imports.entry import has_maps, require_imported
from wsss.imports.maps import import_maps
from wsss.report.status import states_of
from wsss.runs.run import load_run, stages
from wsss.store.cams import CamShard
from wsss.store.files import read_json
from wsss.store.label_maps import LabelShard
from wsss.store.networks import Header, new_network, save_model
from wsss.store.walks import WalkShard

SHARD = Path("train", "000")
LAST = {"segmentation": {"training": {"selection": "last"}}}


@pytest.fixture
def made(toy: Toy) -> Toy:
    """The toy run with its index in its place, its maps as a release has them, and a child of it, `other`."""
    for index in (toy.index, val_of(toy.index)):
        index.write(Path("results/toy/index") / f"{index.split}.csv")
    write_run(toy.root, "other", {"extends": "toy"})
    Path("cams").mkdir()
    Path("masks").mkdir()
    shard = CamShard(toy.cams)
    for record in toy.index:
        if record.labels:
            maps = shard[record.id]
            save(record.id, keys=maps.keys, cam=torch.from_numpy(maps.strided()), hr_cam=maps.full())
            shutil.copy(f"crf/{record.id}.png", "masks")
    return toy


def val_of(index: Index) -> Index:
    record = index.records[0]
    return replace(index, split="val", records=(Record("v0", record.image, record.mask, record.labels),))


def save(image_id: str, **content: Any) -> None:
    """Write a dict of CAMs as the published scripts do."""
    np.save(f"cams/{image_id}.npy", content, allow_pickle=True)  # type: ignore[arg-type]


def saved(image_id: str) -> dict[str, Any]:
    found: dict[str, Any] = np.load(f"cams/{image_id}.npy", allow_pickle=True).item()
    return found


def imported(*directories: str, stage: str) -> int:
    return main(["import-maps", *directories, "--run", "other", "--stage", stage])


def affinity_net(toy: Toy, name: str) -> Path:
    torch.manual_seed(0)
    header = Header("AffinityNet", BACKBONE, 16, CLASSES, toy.run.digest("affinity"))
    save_model(Path(name), new_network(header), header)
    return Path(name)


def test_what_follows_is_as_of_the_maps_themselves(made: Toy) -> None:
    make_affinity_labels(made.step("affinity_labels", cams=made.cams, saliency=made.saliency, out=Path("a")))
    net = affinity_net(made, "a.safetensors")
    walk_cams(made.step("walks", cams=made.cams, model=net, out=Path("w.safetensors")))
    first = load_run("other")
    assert imported("cams", stage="cams") == imported("masks", stage="saliency_crf") == 0
    other = made.run = load_run("other")
    assert [name for name in stages(first) if name not in stages(other)] == [
        "oc",
        "priors",
        "c2am",
        "c2am_maps",
    ]
    assert first.digest("affinity_labels") != other.digest("affinity_labels")
    cams = other.output("cams", *SHARD.parts)
    saliency = other.output("saliency_crf", *SHARD.parts)
    assert cams.is_relative_to("results/other/given") and saliency.is_relative_to("results/other/given")
    theirs, ours = CamShard(made.cams), CamShard(cams)
    assert theirs.ids == ours.ids and ours.digest == other.digest("cams")
    for one, two in zip(theirs, ours, strict=True):
        assert one.size == two.size and np.array_equal(one.keys, two.keys)
        assert np.array_equal(one.full(), two.full()) and np.array_equal(one.strided(), two.strided())
    make_affinity_labels(made.step("affinity_labels", cams=cams, saliency=saliency, out=Path("b")))
    for (name, label), (again, same) in zip(LabelShard("a"), LabelShard("b"), strict=True):
        assert name == again and np.array_equal(label, same)
    net = affinity_net(made, "b.safetensors")
    walk_cams(made.step("walks", cams=cams, model=net, out=Path("v.safetensors")))
    for one, two in zip(WalkShard("w.safetensors"), WalkShard("v.safetensors"), strict=True):
        assert np.array_equal(one.scales[1.0], two.scales[1.0])
    files = {"cams": [cams], "c2am": [], "crf": [saliency], "poolnet": []}
    evaluate_saliency(made.step("saliency_metrics", **files, out=Path("s.json"), curve=Path("s.csv")))
    assert read_json("s.json")["kinds"] == ["crf"], "nothing is made for its scores alone"
    assert {state.stage: state.note for state in states_of(other)}["cams"] == "imported"


def test_a_run_with_given_maps_begins_behind_them(made: Toy) -> None:
    write_run(made.root, "other", {"extends": "toy", "saliency": {"refine": "poolnet"}, **LAST})
    target = "results/other/val_miou.txt"
    scores = ("results/other/metrics/cams.json", "results/other/metrics/saliency.json")
    Path("soft").mkdir()
    for path in Path("masks").iterdir():
        Image.fromarray(np.array(Image.open(path)) // 2).save(Path("soft", path.name))
    assert imported("cams", stage="cams") == imported("soft", stage="saliency") == 0
    rules = planned(made.root, target, *scores)
    begun = {"train_oc", "train_priors", "make_cams", "train_c2am", "make_c2am_maps"}
    saliency = {"refine_saliency", "train_poolnet", "make_saliency"}
    assert not (begun | saliency) & set(rules)
    assert {"evaluate_cams", "evaluate_saliency", "make_affinity_labels", "walk_cams"} <= set(rules)


# --- what does not fit ---


def spoil(fault: str) -> str:
    """Spoil the CAMs; returns what is then said of it."""
    content = saved("id2")
    if fault == "missing":
        Path("cams/id2.npy").unlink()
        return r"missing of train \(1\): id2"
    if fault == "left over":
        shutil.copy("cams/id2.npy", "cams/other.npy")
        return r"unexpected, in neither train nor val \(1\): other"
    if fault == "classes":
        save("id2", **content | {"keys": np.array([0, 1, 3])})
        return r"id2\.npy: maps of a, c, but the labels of id2 are a, b"
    if fault == "no background":
        save("id2", **content | {"keys": np.array([1, 2])})
        return r"id2\.npy: keys are \[1, 2\]; must be 0 and then mask values of 1\.\.3, ascending"
    if fault == "size":
        save("id2", **content | {"hr_cam": content["hr_cam"].transpose(0, 2, 1)})
        return r"id2\.npy: hr_cam is \(2, 48, 64\), must be \(2, 64, 48\) for 2 classes"
    if fault == "size of the strided":
        save("id2", **content | {"cam": content["cam"][:, 1:]})
        return r"id2\.npy: cam is \(2, 15, 12\), must be \(2, 16, 12\)"
    if fault == "not finite":
        content["hr_cam"][1, 2, 3] = np.nan
        save("id2", **content)
        return r"id2\.npy: hr_cam is not finite"
    if fault == "out of range":
        save("id2", **content | {"cam": content["cam"] * 3})
        return r"id2\.npy: cam is in 0\.\.[23][.\d]*, must be in 0\.\.1"
    if fault == "walks":
        save("id2", keys=content["keys"], rw=content["hr_cam"])
        return r"id2\.npy: has no cam, hr_cam; it has 'keys', 'rw'"
    save("id2", **content | {"cam": Malicious(Path("boom"))})
    return r"id2\.npy: .*it would call io\.open, .* it was not called"


FAULTS = ("missing", "left over", "classes", "no background", "size", "size of the strided", "not finite")


@pytest.mark.parametrize("fault", [*FAULTS, "out of range", "walks", "malicious"])
def test_cams_that_do_not_fit_are_named(made: Toy, fault: str) -> None:
    said = spoil(fault)
    before = Path("config/other.yaml").read_text()
    with pytest.raises(UserError, match=said) as error:
        import_maps(load_run("other"), "cams", [Path("cams")], progress=False)
    assert str(error.value).startswith("cams of run other:")
    assert Path("config/other.yaml").read_text() == before and not Path("results/other").exists()
    assert not Path("boom").exists()


def test_all_that_does_not_fit_is_named_at_once(made: Toy) -> None:
    said = [spoil(fault) for fault in ("left over", "out of range")]
    shutil.move("cams/id0.npy", "cams/id9.npy")
    with pytest.raises(UserError) as error:
        import_maps(load_run("other"), "cams", [Path("cams"), Path("none")], progress=False)
    for line in (
        "none: no such directory",
        r"unexpected, in neither train nor val (2): id9, other",
        "(1): id0",
    ):
        assert line in str(error.value)
    assert "id2.npy: cam is in" in str(error.value) and len(said) == 2


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (lambda mask: mask // 2, r"id2\.png: holds 127; a mask must be 0 or 255 \(import soft maps with"),
        (lambda mask: mask[1:], r"id2\.png: is 48 x 63, .*data/2\.png is 48 x 64 \(width x height\)"),
        (lambda mask: np.stack([mask] * 3, axis=2), r"id2\.png: PNG of mode RGB; must be a gray PNG"),
    ],
    ids=["soft", "size", "color"],
)
def test_saliency_that_does_not_fit_is_named(made: Toy, values: Any, said: str) -> None:
    path = Path("masks/id2.png")
    Image.fromarray(values(np.array(Image.open(path)))).save(path)
    with pytest.raises(UserError, match=said):
        import_maps(load_run("other"), "saliency_crf", [Path("masks")], progress=False)
    assert not Path("results/other").exists()


def test_saliency_of_0_and_1_is_told(made: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    for path in Path("masks").iterdir():
        Image.fromarray(np.array(Image.open(path)) // 255).save(path)
    write_run(made.root, "other", {"extends": "toy", "saliency": {"refine": "poolnet"}})
    assert imported("masks", stage="saliency") == 1
    assert "all maps hold only 0 and 1; salient pixels must be 255" in capsys.readouterr().err


def test_a_stage_that_the_run_has_not_is_told(made: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported("masks", stage="saliency") == 1
    assert "saliency.refine: none" in capsys.readouterr().err


# --- splits, and what changes afterwards ---


def test_maps_of_val_are_taken_where_they_are(made: Toy) -> None:
    import_maps(load_run("other"), "cams", [Path("cams")], progress=False)
    alone = load_run("other")
    assert not has_maps(alone, "walks", "val") and has_maps(alone, "walks", "train")
    with pytest.raises(UserError, match=r"imports CAMs without those of val, .*selection: last"):
        require_imported(alone)
    Path("more").mkdir()
    shutil.copy("cams/id0.npy", "more/v0.npy")
    about = import_maps(alone, "cams", [Path("cams"), Path("more")], progress=False)
    both = load_run("other")
    require_imported(both)
    assert both.given("cams") != alone.given("cams") and has_maps(both, "pseudo_labels", "val")
    assert read_json(about)["images"] == {"train": 6, "val": 1}


def test_the_same_maps_again_are_not_newer(made: Toy) -> None:
    about = import_maps(load_run("other"), "cams", [Path("cams")], progress=False)
    before = about.stat().st_mtime_ns, Path("config/other.yaml").stat().st_mtime_ns
    import_maps(load_run("other"), "cams", [Path("cams")], progress=False)
    assert before == (about.stat().st_mtime_ns, Path("config/other.yaml").stat().st_mtime_ns)


def test_maps_of_other_shards_are_asked_for_again(made: Toy) -> None:
    write_run(made.root, "other", {"extends": "toy", **LAST})
    import_maps(load_run("other"), "cams", [Path("cams")], progress=False)
    require_imported(load_run("other"))
    text = Path("config/other.yaml").read_text()
    Path("config/other.yaml").write_text(f"{text}cams: {{shards: 2}}\n")
    again = r"another data set or number of shards .*: wsss import-maps DIR --run other --stage cams"
    with pytest.raises(UserError, match=again):
        require_imported(load_run("other"))
    shutil.rmtree("results/other")
    with pytest.raises(UserError, match=r"imports cams, but results/other/given/cams/about\.json is missing"):
        require_imported(load_run("other"))
