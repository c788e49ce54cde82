"""The plan for a cluster: of a run's stages and their rules, and in the docs as the tool prints it."""

from pathlib import Path
from types import ModuleType

import pytest
from support.loose_module import module_of
from support.rules import memory_of, rules, takes

from wsss.runs.run import Run, load_run, stages
from wsss.runs.stages import STAGES


@pytest.fixture(scope="module")
def plan(repository: Path) -> ModuleType:
    """tools/plan.py, which is in no package."""
    return module_of(repository / "tools" / "plan.py")


def run_of(repository: Path, name: str) -> Run:
    """A shipped run."""
    return load_run(name, repository / "config")


@pytest.mark.parametrize("run", ["voc12", "coco14"])
def test_the_documentation_shows_the_plan(plan: ModuleType, repository: Path, run: str) -> None:
    pages = [repository / "README.md", *(repository / "docs").glob("*.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert plan.table(run) in text, f"put in what `python tools/plan.py {run}` prints"


def test_every_stage_is_planned_by_the_needs_of_its_rule(plan: ModuleType, repository: Path) -> None:
    run = run_of(repository, "voc12")
    planned = plan.plans(run, plan.DATA["voc12"])
    kinds = ("training", "maps", "labels")
    assert [line.rule for line in planned] == [
        STAGES[name].rule for name in stages(run) if STAGES[name].kind in kinds
    ]
    for line in planned:
        rule = rules()[line.rule]
        assert memory_of(rule) == line.mb
        assert takes(rule) == (line.on if line.on in ("gpus", "gpu") else "cpu")


def test_a_run_is_planned_by_its_configuration(plan: ModuleType, repository: Path) -> None:
    def seconds(name: str) -> dict[str, float]:
        return {line.rule: line.seconds for line in plan.plans(run_of(repository, name), plan.DATA["voc12"])}

    whole, vanilla, supervised = (seconds(name) for name in ("voc12", "voc12-vanilla", "voc12-supervised"))
    assert vanilla["train_priors"] * 4 == pytest.approx(whole["train_priors"]), "of one pass instead of four"
    assert "train_oc" not in vanilla and set(supervised) == {"train_segmentation", "make_masks"}


def test_more_nodes_and_gpus_are_faster(plan: ModuleType, repository: Path) -> None:
    for planned in plan.plans(run_of(repository, "voc12"), plan.DATA["voc12"]):
        few, many = plan.hours(planned, 1, 1, 200.0), plan.hours(planned, 4, 8, 200.0)
        assert few == many if planned.on == "core" else few > many
