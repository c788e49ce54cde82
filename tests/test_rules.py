"""What every rule has, and what profiles and commands promise. Nothing is run but linters."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.repository import REPOSITORY
from support.rules import memory_of, rules

from wsss.runs.stages import STAGES

SCRIPTS = sorted((REPOSITORY / "workflow" / "scripts").glob("[!_]*.py"))
#: scripts that no rule runs: before all rules, and after
BESIDE_RULES = {"check_networks", "check_weights", "tabulate_benchmarks"}
RULES = sorted({path.stem for path in SCRIPTS} - BESIDE_RULES)


@pytest.mark.parametrize("name", RULES)
def test_every_rule_says_what_it_needs(name: str) -> None:
    rule = rules()[name]
    assert all((rule.output, rule.log, rule.benchmark, rule.message))
    assert memory_of(rule, attempt=2) == 2 * memory_of(rule) > 0
    # The next try of a training goes on from its checkpoint.
    assert rule.resources["runtime"].is_evaluable() != name.startswith("train_")


class Wildcards(dict[str, str]):
    """As Snakemake passes them: by attribute, and as keywords."""

    __getattr__ = dict.__getitem__


class NamedRun:
    """A run whose sections and digests are the names of their stages."""

    name = "any"

    def owner(self, stage: str) -> "NamedRun":
        return self

    def given(self, stage: str) -> None:
        return None

    def section(self, stage: str) -> str:
        return stage

    digest = section


@pytest.mark.parametrize("name", RULES)
def test_a_rule_depends_on_its_stage_and_on_nothing_else(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its section and its digest: whatever else stood there would make it run again."""
    params = dict(rules()[name].params.items())
    assert set(params) == {"config", "digest"}
    wildcards = Wildcards(run="any", training="oc", labels="masks")
    for param in params.values():
        monkeypatch.setitem(param.__globals__, "run_named", lambda _: NamedRun())
    stage = params["config"](wildcards)
    assert stage == params["digest"](wildcards) and stage in STAGES
    if made := [known for known, entry in STAGES.items() if entry.rule == name]:
        assert [stage] == made


@pytest.mark.parametrize("name", RULES)
def test_a_rule_runs_the_script_of_its_name(name: str) -> None:
    assert rules()[name].shellcmd.startswith(
        f"python -m workflow.scripts.{name} --run {{wildcards.run}} --config {{params.config:q}}"
        " --threads {threads} --log {log} "
    )


def test_every_script_has_a_rule() -> None:
    assert sorted(rules()) == RULES


@pytest.mark.parametrize("name", RULES)
def test_a_script_is_one_function_of_its_rules_name(name: str) -> None:
    """Of at most forty lines, which its last line hands over to be run."""
    path = REPOSITORY / "workflow" / "scripts" / f"{name}.py"
    body = ast.parse(path.read_text(encoding="utf-8")).body
    functions = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert [function.name for function in functions] == [name]
    assert functions[0].end_lineno is not None and functions[0].end_lineno - functions[0].lineno < 40
    (call,) = [
        node
        for node in ast.walk(body[-1])
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "run_step"
    ]
    assert ast.unparse(call.args[1]) == name


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_explains_itself(script: Path) -> None:
    """Its docstring is its help, and every option says what it is."""
    module = ast.parse(script.read_text(encoding="utf-8"))
    assert ast.get_docstring(module)
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    options = [call for call in calls if ast.unparse(call.func) == "arguments.add_argument"]
    assert all("help" in {keyword.arg for keyword in call.keywords} for call in options)


def test_the_default_profile_holds_what_is_right_everywhere() -> None:
    """It wins over a cluster's profile, key by key."""
    profile = yaml.safe_load(
        (REPOSITORY / "profiles" / "default" / "config.yaml").read_text(encoding="utf-8")
    )
    machine_dependent = {
        *("cores", "jobs", "local-cores", "resources", "default-resources", "set-resources"),
        *("executor", "latency-wait", "retries", "set-threads", "max-threads"),
    }
    assert not set(profile) & machine_dependent
    assert (
        profile["rerun-incomplete"]
        and profile["keep-going"]
        and not set(profile) & {"printshellcmds", "quiet"}
    )


def test_the_slurm_profile_needs_no_database_and_packs_shards() -> None:
    """Which rules it names, is held against the stage table elsewhere."""
    profile = yaml.safe_load((REPOSITORY / "profiles" / "slurm" / "config.yaml").read_text(encoding="utf-8"))
    assert all(resources == {"slurm_partition": "gpu"} for resources in profile["set-resources"].values())
    assert set(profile["groups"].values()) == set(profile["group-components"])
    assert profile["slurm-status-command"] == "squeue", "there may be no accounting database"
    assert not [name for name, rule in rules().items() if rule.ruleinfo.retries]


@pytest.mark.parametrize(
    "command",
    [
        ("snakemake", "--lint"),
        ("snakefmt", "--check", "Snakefile", "rules"),
    ],
    ids=lambda command: command[0],
)
def test_linters_are_content(command: tuple[str, ...]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", *command], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
