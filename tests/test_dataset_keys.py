"""Keys that every kind of data set has: what errors advise is what can be set, and what it changes."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.workflow import TINY, planned, write_run

from wsss.config import RunConfig
from wsss.data.index import Index, Record
from wsss.errors import UserError
from wsss.inference.cams import require_labels
from wsss.runs.run import chain, load_run
from wsss.store.files import write_text

KINDS: dict[str, dict[str, Any]] = {
    "voc": {"kind": "voc", "root": "voc", "train": "train"},
    "coco": {"kind": "coco", "root": "coco", "train": "train", "val": "val"},
    "folder": {
        "kind": "folder",
        "images": "photos",
        "labels": "labels.csv",
        "masks": "masks",
        "classes": ["a"],
    },
}


def run_on(directory: Path, kind: str, **keys: Any) -> str:
    """Write a run on a data set whose sources are there, as far as planning looks at them."""
    write_run(directory, kind, {**TINY, "dataset": {**KINDS[kind], **keys}})
    write_text(directory / "labels.csv", "image,labels\n")
    for split in ("train", "val"):
        write_text(directory / f"voc/ImageSets/Segmentation/{split}.txt", "a\n")
        write_text(directory / f"coco/annotations/instances_{split}.json", "{}")
    return f"results/{kind}/val_miou.txt"


@pytest.mark.parametrize("kind", KINDS)
def test_val_without_labels(tmp_path: Path, kind: str) -> None:
    """What the stage that needs labels advises can be set in every kind, and then the plan does without."""
    index = Index((Record("a", Path("a.png"), None, ()),), ("cat",), "val", "")
    with pytest.raises(UserError, match=r"set dataset.val_labels to false"):
        require_labels(index)
    target = run_on(tmp_path, kind)
    before = planned(tmp_path, target)
    run_on(tmp_path, kind, val_labels=False)
    after = planned(tmp_path, target)
    assert before["make_pseudo_labels"] == 2 * after["make_pseudo_labels"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_data_set_without_masks(tmp_path: Path, kind: str) -> None:
    target = run_on(tmp_path, kind)
    before = planned(tmp_path, target, f"results/{kind}/metrics/chain.csv")
    assert before["evaluate_cams"] == 1 and ("paint_masks" in before) == (kind == "coco")
    run_on(tmp_path, kind, with_masks=False)
    assert "cams_metrics" not in chain(load_run(kind, tmp_path / "config"))
    after = planned(tmp_path, target, f"results/{kind}/metrics/chain.csv")
    assert not {"paint_masks", "evaluate_cams", "evaluate_walks", "evaluate_saliency"} & set(after)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_at_its_default_is_left_out(kind: str) -> None:
    """So runs of earlier versions keep their digests."""
    defaults: dict[str, Any] = {"val_labels": True, "masks_orientation": "auto", "allow_overlap": False}
    defaults |= {"mask_values": None, "with_masks": True}
    plain, told = (
        RunConfig.from_values({"dataset": {**KINDS[kind], **keys}}).dataset.differences()
        for keys in ({}, defaults)
    )
    assert json.dumps(plain, sort_keys=True) == json.dumps(told, sort_keys=True)
    assert not set(defaults) & set(plain)


def test_painted_masks_have_class_values(tmp_path: Path) -> None:
    write_run(tmp_path, "coco", {"dataset": {**KINDS["coco"], "mask_values": {"0": "background"}}})
    with pytest.raises(UserError, match=r"dataset.mask_values = .*: must be null where masks are painted"):
        load_run("coco", tmp_path / "config")
