"""Networks and weights that cannot be had are reported when a run is planned, and the advice works."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from wsss.errors import UserError
from wsss.models import Backbone, check_backbone, check_weights
from wsss.runs.networks import described, network_faults
from wsss.runs.run import Run, load_run
from wsss.training.network_checks import network_fault

SMALL = "mobilenetv3_small_050"
#: by what is wrong with them; a tiny one of each family
REFUSED = {
    "fixed image size": ("swin_tiny_patch4_window7_224", 32, "cannot be used"),
    "no features": ("mixer_s32_224", 16, "cannot be used"),
    "transformer without a pyramid": ("xcit_nano_12_p16_224", 16, "cannot be used"),
    "one stride": ("ghostnet_050", 16, "output_stride 16 is not available; choose 32"),
    "Caffe's": ("resnet50_caffe", 8, "output_stride 8 is not available; choose 16"),
    "misspelled": ("resnest51", 16, "has no such network; similar: "),
}


@pytest.mark.parametrize(("name", "stride", "message"), REFUSED.values(), ids=REFUSED)
def test_following_the_advice_works(name: str, stride: int, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        check_backbone(name, output_stride=stride)
    advice = re.search(r".*(?:choose|such as|similar:) ([\w, ]+)$", str(caught.value))
    assert advice is not None
    for choice in re.split(", | or ", advice[1]):
        if choice.isdigit():
            check_backbone(name, output_stride=int(choice))
        else:
            check_backbone(choice, output_stride=stride)


def test_a_vision_transformer_is_a_backbone_at_every_stride() -> None:
    for stride in (8, 16, 32):
        check_backbone("vit_tiny_patch16_224", output_stride=stride)


def test_networks_themselves_give_the_advice() -> None:
    with (
        torch.device("meta"),
        pytest.raises(UserError, match=r"output_stride 8 is not available; choose 32$"),
    ):
        Backbone("ghostnet_050", output_stride=8)


def test_weights_are_checked_without_the_network() -> None:
    check_weights("resnest269e", "imagenet", reach=False)
    with pytest.raises(UserError, match="timm has none for it"):
        check_weights("resnet50_caffe", "imagenet", reach=False)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a run on top of small networks, and load it."""
    monkeypatch.chdir(tmp_path)
    base = {"dataset": {"kind": "shapes"}, "network": {"backbone": SMALL, "weights": "none"}}
    base["saliency"] = {"poolnet": {"network": {"backbone": SMALL, "weights": "none"}}}

    def load(**sections: Any) -> Run:
        Path("run.yaml").write_text(json.dumps(base | sections), encoding="utf-8")
        return load_run("run", tmp_path)

    return load


def check(trainings: list[str]) -> dict[str, str]:
    """As the workflow's script."""
    faults = {name: network_fault(load_run("run", Path.cwd()), name.split("/")[1]) for name in trainings}
    return {name: fault for name, fault in faults.items() if fault}


def test_a_fault_of_several_trainings_is_described_once(run: Any) -> None:
    faults = network_faults([run(network={"backbone": "resnest51"})], check)
    assert described(faults) == (
        "oc.network, priors.network, saliency.c2am.network, affinity.training.network, "
        f"segmentation.training.network: {faults['run/oc']}"
    )


def test_all_that_a_training_lacks_is_said_at_once(run: Any) -> None:
    section = {"network": {"backbone": "ghostnet_050", "weights": "no/such.pth"}}
    fault = network_faults([run(oc=section)], check)["run/oc"]
    assert "choose 32" in fault and "no such file" in fault


def test_only_networks_that_have_not_passed_are_checked(run: Any) -> None:
    asked: list[list[str]] = []

    def record(trainings: list[str]) -> dict[str, str]:
        asked.append(trainings)
        return {"run/oc": "broken"}

    for _ in range(2):
        assert network_faults([run()], record) == {"run/oc": "broken"}
    assert len(asked[0]) == 6 and asked[1] == ["run/oc"]
    assert network_faults([run()], lambda _: {}) == network_faults([run()], lambda _: {"run/oc": "new"}) == {}
    assert network_faults([run(oc={"network": {"output_stride": 8}})], record) == {"run/oc": "broken"}


def test_a_missing_file_of_weights_is_found_after_it_has_been_there(run: Any) -> None:
    weights = Path("weights.pth")
    weights.write_bytes(b"")
    section = {"network": {"weights": str(weights)}}
    assert network_faults([run(oc=section)], check) == {}
    weights.unlink()
    assert "no such file" in network_faults([run(oc=section)], check)["run/oc"]
