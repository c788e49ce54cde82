"""The stage table is the only place that knows all stages, and what it says of them is true of the rules."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.rules import plain, rules, takes
from support.workflow import REPOSITORY

from wsss.config import GivenConfig
from wsss.runs.stages import SALIENCY, STAGES, importable
from wsss.store.networks import ARCHITECTURES
from wsss.store.shards import SHARDS

TABLE = "wsss/runs/stages.py"
#: the profile of a cluster has to name rules; the test below holds it against the table
PROFILE = REPOSITORY / "profiles" / "slurm" / "config.yaml"


def sources() -> Iterator[tuple[str, set[str]]]:
    """Every file of the system that may know stages, and the strings in it."""
    python = [path for part in ("wsss", "workflow", "tools") for path in (REPOSITORY / part).rglob("*.py")]
    for path in python:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        strings = {node.value for node in nodes if isinstance(node, ast.Constant)}
        yield path.relative_to(REPOSITORY).as_posix(), {text for text in strings if isinstance(text, str)}
    others = [*(REPOSITORY / "rules").glob("*.smk"), REPOSITORY / "Snakefile"]
    others += [path for path in (REPOSITORY / "profiles").rglob("*.yaml") if path != PROFILE]
    for path in others:
        text = path.read_text(encoding="utf-8")
        yield (
            path.relative_to(REPOSITORY).as_posix(),
            set(re.findall(r'(?<=")\w+(?=")|^ *\w+(?=:)', text, re.M)),
        )


def test_one_file_names_all_stages() -> None:
    """Most of them: a second table of some stages is one to forget, too."""
    rules = {stage.rule for stage in STAGES.values()}
    knowing = []
    for name, strings in sources():
        if max(len(strings & set(STAGES)), len(strings & rules)) > len(STAGES) / 2:
            knowing.append(name)
    assert knowing == [TABLE]


def test_a_second_table_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wsss").mkdir()
    (tmp_path / "wsss" / "second.py").write_text(f"TITLES = {dict.fromkeys(STAGES, '')!r}\n")
    (tmp_path / "Snakefile").write_text("")
    monkeypatch.setattr(f"{__name__}.REPOSITORY", tmp_path)
    with pytest.raises(AssertionError, match=r"second\.py"):
        test_one_file_names_all_stages()


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_the_rule_of_a_stage_writes_its_outputs(stage) -> None:
    rule = rules()[stage.rule]
    outputs = {plain(path) for path in rule.output}
    assert outputs >= {f"results/{{run}}/{stage.output}"}
    if stage.kind == "training":
        assert outputs == {f"results/{{run}}/{path}" for path in (stage.output, stage.metrics)}
    assert takes(rule) == ("gpus" if stage.kind == "training" else "gpu" if stage.gpu else "cpu")


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_the_script_of_a_stage_runs_it(stage) -> None:
    script = REPOSITORY / "workflow" / "scripts" / f"{stage.rule}.py"
    nodes = ast.walk(ast.parse(script.read_text(encoding="utf-8")))
    calls = (node for node in nodes if isinstance(node, ast.Call))
    (call,) = (call for call in calls if ast.unparse(call.func) == "run_step")
    assert ast.unparse(call.args[0]) == repr(stage.name)
    devices = {"devices": "'gpus'"} if stage.kind == "training" else {"devices": "1"} if stage.gpu else {}
    assert {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords} == devices


def test_the_profile_of_a_cluster_knows_the_rules_by_their_stages() -> None:
    profile = yaml.safe_load(PROFILE.read_text(encoding="utf-8"))
    on_gpus = {stage.rule for stage in STAGES.values() if stage.gpu or stage.kind == "training"}
    assert set(profile["set-resources"]) == on_gpus
    assert set(profile["groups"]) == {stage.rule for stage in STAGES.values() if stage.sharded} - on_gpus


def test_names_in_the_table_exist() -> None:
    architectures = {architecture.__name__ for architecture in ARCHITECTURES}
    for stage in STAGES.values():
        assert (stage.architecture in architectures) == (stage.kind == "training")
        assert (stage.shards in SHARDS) == stage.sharded
        assert stage.scored_by in ("", *STAGES) and bool(stage.scored_as) >= bool(stage.scored_by)
        if stage.kind == "labels" or stage.scored_by:
            assert STAGES[stage.scored_by or stage.name].metrics
    assert {*importable("network"), *importable("maps")} == set(GivenConfig.model_fields)
    assert len(set(SALIENCY)) == len(SALIENCY) and "" not in SALIENCY
