"""The runs that are shipped: what each is for, that it differs where it says, and what planning it takes."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.plans import coco_sized, plan, voc_sized
from support.workflow import REPOSITORY

from wsss.config import OptimizationConfig
from wsss.runs.run import Run, load_run, run_names, stages

CONFIG = REPOSITORY / "config"
RUNS = run_names(CONFIG)
#: of a plan; importing a CUDA build of torch, which looks at the networks, takes 1000 of them
MOST_MEGABYTES = 2000
#: for other machines: they differ in nearly everything
SMALLER = ("laptop", "voc12-resnest101", "voc12-resnest50", "voc12-24gb", "coco14-24gb")


def table() -> dict[str, tuple[str, str]]:
    """By run, what config/README.md says: the run that it extends, and the stage that it begins at."""
    text = (CONFIG / "README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `([a-z0-9-]+)` \| (?:`([a-z0-9-]+)`)? ?\| `(\w+)` \| \S.* \|$", text, re.MULTILINE
    )
    return {name: (parent, begins) for name, parent, begins in rows}


def shipped(name: str) -> Run:
    """A run of this repository."""
    return load_run(name, CONFIG)


def test_the_table_has_every_run() -> None:
    assert sorted(table()) == RUNS


@pytest.mark.parametrize("name", RUNS)
def test_a_run_begins_where_the_table_says(name: str) -> None:
    run = shipped(name)
    own = [stage for stage in stages(run) if run.owner(stage) is run]
    assert (run.parent.name if run.parent else "", own[0]) == table()[name]


@pytest.mark.parametrize("name", [name for name in RUNS if table()[name][0] and name not in SMALLER])
def test_every_key_of_an_ablation_makes_a_difference(name: str) -> None:
    """None is there that has the value of the run that it extends, and no other key differs."""
    run = shipped(name)
    assert run.parent is not None
    written = leaves(yaml.safe_load((CONFIG / f"{name}.yaml").read_text(encoding="utf-8")))
    ours, theirs = (leaves(each.config.model_dump(mode="json")) for each in (run, run.parent))
    assert {key for key in ours if ours[key] != theirs.get(key)} == set(written)
    assert len(written) <= 10


def leaves(values: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted names of the values that are no sections."""
    if not isinstance(values, dict):
        return {prefix: values}
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= leaves(value, f"{prefix}.{key}" if prefix else key)
    return found


def trainings(run: Run) -> dict[str, OptimizationConfig]:
    """The optimisation of every training."""
    config = run.config
    return {
        "oc": config.oc.optimisation,
        "priors": config.priors.optimisation,
        "c2am": config.saliency.c2am.optimisation,
        "poolnet": config.saliency.poolnet.optimisation,
        "affinity": config.affinity.training.optimisation,
        "segmentation": config.segmentation.training.optimisation,
    }


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("voc12-resnest101", "voc12"),
        ("voc12-resnest50", "voc12"),
        ("voc12-24gb", "voc12-h100"),
        ("coco14-24gb", "coco14-h100"),
    ],
)
def test_smaller_gpus_make_the_same_steps(name: str, of: str) -> None:
    """As many images, the same step along the mean gradient of an image, the same decay: as on large ones."""

    def step(optimisation: OptimizationConfig) -> tuple[float, ...]:
        parts = optimisation.accumulate if optimisation.reduction == "sum" else 1
        decay = optimisation.lr * optimisation.weight_decay
        return optimisation.batch * optimisation.accumulate, optimisation.lr * parts, decay

    smaller, larger = trainings(shipped(name)), trainings(shipped(of))
    for stage, optimisation in smaller.items():
        assert step(optimisation) == pytest.approx(step(larger[stage])), stage
        assert optimisation.batch <= larger[stage].batch
        same = {"batch", "accumulate", "reduction", "lr", "weight_decay"}
        assert optimisation.model_dump(exclude=same) == larger[stage].model_dump(exclude=same)


def test_all_runs_are_planned_together(tmp_path: Path) -> None:
    """On indexes of VOC's size; a rule has a job per shard and split, never per image."""
    voc_sized(tmp_path)
    jobs, seconds, megabytes = plan(tmp_path, *RUNS)
    print(f"\n{len(RUNS)} runs, {sum(jobs.values())} jobs: {seconds:.1f} s of a CPU, {megabytes:.0f} MB")
    assert jobs["report_miou"] == len(RUNS) and jobs["train_segmentation"] == len(RUNS)
    assert max(jobs.values()) <= 2 * 16 * len(RUNS)
    assert megabytes < MOST_MEGABYTES


@pytest.mark.slow
def test_every_run_is_planned_in_three_times_the_time_of_shapes(tmp_path: Path) -> None:
    """Each alone, on indexes of the real sizes, in seconds of a CPU; the quicker of two."""
    voc_sized(tmp_path)
    coco_sized(tmp_path)
    taken = {}
    for name in ("shapes", *RUNS):
        plans = [plan(tmp_path, name) for _ in range(2)]
        jobs, seconds, megabytes = min(plans, key=lambda found: found[1])
        taken[name] = seconds
        print(f"{name}: {sum(jobs.values())} jobs, {seconds:.1f} s of a CPU, {megabytes:.0f} MB")
        assert megabytes < MOST_MEGABYTES and max(jobs.values()) <= 2 * shipped(name).config.cams.shards
        assert not {"fetch_data", "paint_masks"} & set(jobs)
    assert max(taken.values()) <= 3 * taken["shapes"], taken
