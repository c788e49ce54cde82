"""All that computes on a GPU runs on a pretended one, and waits for it no more often than it has to.

`wsss/plan/pretended_gpu.py` says what that shows and what it does not: devices, types and shapes, no number.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.dry_run import LARGE, SMALL, Cases

#: waits of a step per objective: its loss terms are read, for the log and to see that they are finite
PER_OBJECTIVE = 1
#: of the choice of a class to erase: labels, random numbers, and the classes back to the GPU
CHOICE = 3
#: of an fp16 step per network: whether a gradient overflowed, and the scale before and after
SCALER = 3
#: waits per scale of an inference: its result, two lists of channels, whether all is finite
MAPS = 4
PUBLISHED = "pnoc as published, averaged"
OBJECTIVES = {"pnoc": 2, PUBLISHED: 2}
#: of P-NOC as published: how hard each class is to erase, and in fp16 the scale that both networks share
FOCAL, SHARED = 3, 2
CHOOSE = ("occse", "poc", *OBJECTIVES)
INFERENCE = {"cams": 2 * MAPS, "c2am maps": 2 * MAPS, "saliency": 2, "masks": 3, "walks": 4}

NAMES = [name for name, _ in Cases(*SMALL).all()]
CONTROLS = {
    "control: a network on the CPU": "found at least two devices, cuda:0 and cpu",
    "control: numpy() of a GPU tensor": "can't convert cuda:0 device type tensor to numpy",
}


def outcomes(repository: Path, *words: str) -> dict[str, Any]:
    """What a process says in which torch believes that it has CUDA."""
    paths = os.pathsep.join(map(str, (repository, repository / "tests")))
    script = repository / "tests" / "support" / "dry_run.py"
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script, *words], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def budget(name: str) -> int:
    """How many waits a case may have."""
    what, _, precision = name.rpartition(" ")
    if what in INFERENCE:
        return INFERENCE[what]
    objectives = OBJECTIVES.get(what, 1)
    waits = objectives * PER_OBJECTIVE + CHOICE * (what in CHOOSE)
    waits += FOCAL * (what == PUBLISHED)
    return waits + (objectives * SCALER + SHARED * (what == PUBLISHED)) * (precision == "fp16")


def total(outcome: Mapping[str, Any]) -> int:
    """All waits of a case, which has to have passed."""
    assert "error" not in outcome, outcome["error"]
    return sum(outcome["waits"].values())


@pytest.fixture(scope="module")
def small(repository: Path) -> dict[str, Any]:
    """The outcomes with small networks and images."""
    return outcomes(repository)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(("float32", "bf16", "fp16"))])
def test_a_gpu_computes_it_and_is_rarely_waited_for(small: dict[str, Any], name: str) -> None:
    outcome = small[name]
    assert total(outcome) <= budget(name), outcome["waits"]


@pytest.mark.parametrize("name", ["cams refined along attention", "cams of CLIP-ES", "export"])
def test_a_gpu_computes_it(small: dict[str, Any], name: str) -> None:
    total(small[name])


def test_a_number_that_is_read_in_the_loop_exceeds_the_budget(small: dict[str, Any]) -> None:
    assert total(small["control: an item() in the loop"]) == budget("oc float32") + 1


@pytest.mark.parametrize("name", list(CONTROLS))
def test_what_a_gpu_would_refuse_is_refused(small: dict[str, Any], name: str) -> None:
    assert CONTROLS[name] in small[name].get("error", "no error")


@pytest.mark.slow
def test_it_does_not_depend_on_the_size(small: dict[str, Any], repository: Path) -> None:
    large = outcomes(repository, "large")
    assert LARGE != SMALL and large.keys() == small.keys()
    for name in NAMES:
        assert large[name].get("waits") == small[name].get("waits"), name
