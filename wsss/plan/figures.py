"""The computed costs of stages: those of the shipped runs lie in `figures.json`, others are computed when
asked for.

A figure is known by all that it depends on: networks, crop or image size, classes, precision.
"""

import hashlib
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from wsss.config import RunConfig
from wsss.errors import UserError
from wsss.runs.stages import STAGES
from wsss.store.files import read_json, write_json

SHIPPED = Path(__file__).with_name("figures.json")
#: where a user's own are kept
OWN = Path(".snakemake", "wsss-plan.json")
#: the trainings whose networks a stage's inference uses
NETWORKS = {
    "cams": "priors",
    "c2am_maps": "saliency.c2am",
    "saliency": "saliency.poolnet",
    "walks": "affinity.training",
    "masks": "segmentation.training",
}


class Asked(NamedTuple):
    """A stage whose costs are asked for. size: (H, W) of an image. precision: `float32`, or `half` for both
    halves.
    """

    stage: str
    size: tuple[int, int]
    classes: int
    precision: str

    def key(self, config: RunConfig) -> str:
        """Identifies the figure: a digest of all that it depends on."""
        values = config.model_dump(mode="json")
        section = _section(values, STAGES[self.stage].section)
        if self.stage in NETWORKS:
            trained = _section(values, NETWORKS[self.stage])
            about = {key: section.get(key) for key in ("scales", "flip", "refine", "radius", "steps", "side")}
            about |= {"network": _network(trained), "method": trained.get("method") == "clip_es"}
            about["size"] = self.size
        else:
            optimization = section["optimisation"]
            about = {
                "network": _network(section),
                "crop": section.get("augmentation", {}).get("crop") or self.size,
                "optimizer": optimization["optimizer"],
                "average": optimization["ema"] is not None,
                **{key: section.get(key) for key in ("method", "radius", "puzzle", "noc", "erasing")},
            }
            if self.stage == "priors":
                about["oc"] = _network(values["oc"])
            if self.stage == "c2am":
                about["hints"] = config.saliency.uses_hints
        about |= {"stage": self.stage, "classes": self.classes, "precision": self.precision}
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]


def _section(values: dict[str, Any], path: str) -> dict[str, Any]:
    for name in path.split("."):
        values = values[name]
    return values


def _network(section: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in section["network"].items() if key != "weights"}


def figures(config: RunConfig, asked: list[Asked]) -> dict[Asked, dict[str, Any]]:
    """The costs of stages, as `Costs.as_json`; they are computed, in another process, where they are new.

    Raises UserError where they cannot be computed.
    """
    own: dict[str, Any] = read_json(OWN) if OWN.is_file() else {}
    known = _shipped() | own
    keys = {one: one.key(config) for one in asked}
    if missing := [one for one in asked if keys[one] not in known]:
        new = computed(config, missing)
        write_json(OWN, own | new)
        known |= new
    return {one: known[key] for one, key in keys.items()}


@cache
def _shipped() -> dict[str, Any]:
    found: dict[str, Any] = read_json(SHIPPED)
    return found


def computed(config: RunConfig, asked: list[Asked]) -> dict[str, Any]:
    """By key, what a process with a pretended GPU computes."""
    request = json.dumps([config.model_dump(mode="json"), asked])
    done = subprocess.run(
        [sys.executable, "-m", "wsss.plan.measure"], input=request, capture_output=True, text=True
    )
    if done.returncode:
        raise UserError(
            f"the costs of {', '.join(sorted({one.stage for one in asked}))} cannot be computed here:\n"
            f"{done.stderr.strip()[-2000:]}"
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
