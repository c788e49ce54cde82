"""What is made from the configuration's models: schema, table, snapshot of defaults; and the shipped runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from wsss.config import RunConfig, Section, ShapesDataset
from wsss.config.docs import defaults, with_table
from wsss.config.keys import REQUIRED, file_schema, keys
from wsss.runs.run import load_run, run_names

REFRESH = "run `python -m wsss.config.docs`"


def test_every_default_is_valid() -> None:
    config = RunConfig(dataset=ShapesDataset(kind="shapes"))
    assert RunConfig.model_validate_json(config.model_dump_json(), strict=True) == config


def test_every_key_has_a_meaning_and_no_two_keys_a_name() -> None:
    names = [(key.name, key.kind) for key in keys()]
    assert len(set(names)) == len(names)
    for key in keys():
        assert key.description and key.allowed, key.name


def test_every_section_has_the_rules_of_sections() -> None:
    def all_sections(section: type[Section]) -> set[type[Section]]:
        return {section}.union(*(all_sections(child) for child in section.__subclasses__()))

    for section in all_sections(Section):
        assert section.model_config["frozen"] and section.model_config["extra"] == "forbid", section


def test_schema_is_up_to_date(repository: Path) -> None:
    shipped = json.loads((repository / "config/schema.json").read_text(encoding="utf-8"))
    assert shipped == file_schema(), REFRESH


def test_table_is_up_to_date(repository: Path) -> None:
    text = (repository / "config/README.md").read_text(encoding="utf-8")
    assert text == with_table(text), REFRESH


def test_no_shipped_default_has_changed_or_gone(repository: Path) -> None:
    """A changed default would take results of the old one for its own: add a key instead."""
    shipped = json.loads((repository / "tests/defaults.json").read_text(encoding="utf-8"))
    now = defaults()
    assert {key: now.get(key, "(gone)") for key in shipped} == shipped
    assert not set(now) - set(shipped), f"defaults without protection: {REFRESH}"


def test_every_key_but_those_of_the_machine_is_protected(repository: Path) -> None:
    shipped = json.loads((repository / "tests/defaults.json").read_text(encoding="utf-8"))
    every = {f"{key.name} ({key.kind})" if key.kind else key.name: key for key in keys()}
    unprotected = {
        name for name, key in every.items() if key.default is REQUIRED or key.name.startswith("machine.")
    }
    assert set(every) - set(shipped) == unprotected


@pytest.mark.parametrize("name", run_names(Path(__file__).parent.parent / "config"))
def test_shipped_runs_are_valid(repository: Path, name: str) -> None:
    assert load_run(name, repository / "config").name == name
    text = (repository / "config" / f"{name}.yaml").read_text(encoding="utf-8")
    Draft202012Validator(file_schema()).validate(yaml.safe_load(text))


def test_schema_refuses_what_the_models_refuse() -> None:
    validator = Draft202012Validator(file_schema())
    for wrong in ({"oc": {"lr": 1}}, {"dataset": {"kind": "cocoa"}}, {"oc": {"optimisation": {"lr": 0}}}):
        assert not validator.is_valid(wrong), wrong
    assert validator.is_valid({"extends": "voc12", "dataset": {"val": "test"}})


def test_readme_names_every_shipped_run(repository: Path) -> None:
    text = (repository / "config/README.md").read_text(encoding="utf-8")
    for name in run_names(repository / "config"):
        assert f"| `{name}` |" in text


def test_configuration_imports_nothing_heavy() -> None:
    """The workflow reads it at every start, before there is any job."""
    code = "import wsss.runs.run, sys; print(*{'torch', 'numpy', 'PIL', 'snakemake'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
