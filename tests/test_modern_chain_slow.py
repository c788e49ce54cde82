"""The newer choices together, from images to masks, with random weights: all is computed, nothing learned."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.workflow import WHOLE, planned, snakemake, write_run

pytestmark = pytest.mark.slow

VIT = {"backbone": "test_vit", "weights": "none"}
CLIP = {
    "method": "clip_es",
    "network": {"backbone": "vit_xsmall_patch16_clip_224", "weights": "none"},
    "text": {"model": "ViT-S-32-alt", "pretrained": None},
}
LINEAR = {**WHOLE["priors"], "method": "linear", "network": VIT}


def chain(priors: dict[str, Any], pseudo: dict[str, Any], cams: dict[str, Any]) -> dict[str, Any]:
    """A run without saliency, whose segmentation network is a linear layer on a frozen transformer."""
    config: dict[str, Any] = json.loads(json.dumps(WHOLE))
    config |= {"priors": priors, "saliency": {"method": "none"}}
    config["cams"] |= cams
    config["affinity"]["training"]["network"] = VIT
    config["affinity"]["labels"] = {"refine": "par", "iterations": 2}
    config["segmentation"]["pseudo"] = pseudo
    config["segmentation"]["training"]["network"] = {**VIT, "kind": "linear"}
    return config


@pytest.mark.parametrize(
    ("priors", "pseudo", "cams", "trained"),
    [
        (CLIP, {"vote": "max_iou_imp2", "refine": "pamr", "iterations": 2}, {}, 2),
        (LINEAR, {"vote": "sams"}, {"refine": "attention"}, 3),
    ],
    ids=["clip_es", "linear"],
)
def test_a_run_is_made_to_its_masks(
    tmp_path: Path, priors: dict[str, Any], pseudo: dict[str, Any], cams: dict[str, Any], trained: int
) -> None:
    write_run(tmp_path, "modern", chain(priors, pseudo, cams))
    target = "results/modern/val_miou.txt"
    jobs = planned(tmp_path, target)
    assert sum(count for rule, count in jobs.items() if rule.startswith("train_")) == trained
    assert jobs["make_regions"] == 4 and "train_oc" not in jobs
    status, printed = snakemake(tmp_path, "--cores", "2", target)
    assert status == 0, printed
    first, *classes = (tmp_path / target).read_text().splitlines()
    assert 0 <= float(first) <= 100 and classes[0].endswith(" background")
