"""What every rule has, and what profiles and commands promise. Nothing is run but linters."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.rules import RULES

from wsss.runs.stages import STAGES

REPOSITORY = Path(__file__).resolve().parent.parent
SCRIPTS = sorted((REPOSITORY / "workflow" / "scripts").glob("[!_]*.py"))
#: scripts that no rule runs: before all rules, and after
BESIDE_RULES = {"check_networks", "check_weights", "tabulate_benchmarks"}


@pytest.mark.parametrize("name", RULES)
def test_every_rule_says_what_it_needs(name: str) -> None:
    directives = set(re.findall(r"^    (\w+):", RULES[name], re.MULTILINE))
    assert directives >= {"output", "log", "benchmark", "message", "resources", "params", "shell"}
    # The next try of a training goes on from its checkpoint.
    runtime = r"\d+" if name.startswith("train_") else r"growing\(\d+\)"
    assert re.search(
        rf"^        mem_mb=memory\(\d+(, \d+)?\),\n        runtime={runtime},$", RULES[name], re.MULTILINE
    )


@pytest.mark.parametrize("name", RULES)
def test_a_rule_depends_on_its_stage_and_on_nothing_else(name: str) -> None:
    """Its section and its digest: whatever else stood there would make it run again."""
    block = re.search(r"^    params:\n((?:        .*\n)+)", RULES[name], re.MULTILINE)
    assert block
    params = dict(line.strip().rstrip(",").split("=") for line in block[1].splitlines())
    assert set(params) == {"config", "digest"}
    assert params["config"].removeprefix("config_of") == params["digest"].removeprefix("digest_of")
    stage = params["config"][len('config_of("') : -2]
    assert stage in STAGES or stage in ("{training}", "{labels}")


@pytest.mark.parametrize("name", RULES)
def test_a_rule_runs_the_script_of_its_name(name: str) -> None:
    command = "".join(re.findall(r'^        "(.*)"$', RULES[name].partition("shell:")[2], re.MULTILINE))
    assert command.startswith(
        f"python -m workflow.scripts.{name} --run {{wildcards.run}} --config {{params.config:q}}"
        " --threads {threads} --log {log} "
    )


def test_every_script_has_a_rule() -> None:
    assert {path.stem for path in SCRIPTS} == set(RULES) | BESIDE_RULES


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
    assert not [name for name, text in RULES.items() if "retries" in text]


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
