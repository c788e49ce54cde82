"""The plan for a cluster: of the rules that there are, and in the README as the tool prints it."""

from pathlib import Path
from types import ModuleType

import pytest
from support.loose_module import module_of
from support.rules import RULES


@pytest.fixture(scope="module")
def plan(repository: Path) -> ModuleType:
    """tools/plan.py, which is in no package."""
    return module_of(repository / "tools" / "plan.py")


@pytest.mark.parametrize("run", ["voc12", "coco14"])
def test_the_readme_shows_the_plan(plan: ModuleType, repository: Path, run: str) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    assert plan.table(plan.DATA[run]) in readme, f"README.md: put in what `python tools/plan.py {run}` prints"


def test_rules_and_their_memory_are_those_of_the_workflow(plan: ModuleType) -> None:
    for planned in plan.plans(plan.DATA["voc12"]):
        rule = RULES[planned.rule]
        assert f"mem_mb=growing({planned.mb})" in rule
        assert ("**of_training" in rule, "gpu=gpu_of" in rule) == (planned.on == "gpus", planned.on == "gpu")
    shards = {name for name, text in RULES.items() if "--shard {wildcards.shard}" in text}
    trainings = {name for name in RULES if name.startswith("train_")}
    assert {planned.rule for planned in plan.plans(plan.DATA["voc12"])} == shards | trainings


def test_more_nodes_and_gpus_are_faster(plan: ModuleType) -> None:
    for planned in plan.plans(plan.DATA["voc12"]):
        few, many = plan.hours(planned, 1, 1, 200.0), plan.hours(planned, 4, 8, 200.0)
        assert few == many if planned.on == "core" else few > many
