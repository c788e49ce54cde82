"""What the tests' tiny runs share: the network, the machine, and how their steps are made."""

import argparse
import json
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

from support.repository import REPOSITORY

from wsss.runs.run import Run, load_run
from wsss.runs.stages import STAGES
from wsss.runs.step import Step
from wsss.store.files import write_text

BACKBONE, CLASSES = "mobilenetv3_small_050", ("a", "b", "c")
NETWORK = {"backbone": BACKBONE, "weights": "none"}
MACHINE = {"device": "cpu", "threads": 1, "workers": 0}

__all__ = ["BACKBONE", "CLASSES", "MACHINE", "NETWORK", "REPOSITORY", "load_tiny", "step_of", "training"]


def training(augmentation: Mapping[str, int], **optimisation: Any) -> dict[str, Any]:
    """A section that trains the tiny network from scratch."""
    return {"network": NETWORK, "optimisation": optimisation, "augmentation": augmentation}


def load_tiny(root: Path, name: str, **sections: Any) -> Run:
    """Write the run `name` of photographs under `data`; its section `machine` adds to `MACHINE`."""
    dataset = {"kind": "voc", "root": "data", "train": "train"}
    machine = MACHINE | sections.pop("machine", {})
    config = {"dataset": dataset, **sections, "machine": machine}
    write_text(root / "config" / f"{name}.yaml", json.dumps(config))
    return load_run(name, root / "config")


def step_of(run: Run, stage: str, *, section: Any = None, **arguments: Any) -> Step:
    """A step of a run as its script has it. section: by default the run's."""
    section = section or attrgetter(STAGES[stage].section)(run.config)
    return Step(argparse.Namespace(**{"threads": None, **arguments}), stage, run, section)
