"""A working directory for people who have installed the package and have no checkout."""

import filecmp
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import setuptools
from support.repository import committed

from wsss.cli import main
from wsss.commands import workdir

REPOSITORY = Path(__file__).resolve().parent.parent


def files(directory: Path) -> set[str]:
    """What lies in a directory, but for what Python keeps there."""
    found = (path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(directory).as_posix() for path in found}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as a wheel has it, with the workflow that setup.py puts there."""
    monkeypatch.setattr(setuptools, "setup", lambda **_: None)
    setup = runpy.run_path(str(REPOSITORY / "setup.py"))
    package = tmp_path / "site-packages" / "wsss"
    for name in setup["WORKDIR"]:
        setup["_copy"](REPOSITORY / name, package / "workdir" / name)
    monkeypatch.setattr(workdir, "PACKAGE", package)
    return package / "workdir"


def test_a_wheel_holds_what_a_working_directory_needs(installed: Path, tmp_path: Path) -> None:
    """All that is committed of it, and what is made is the same from a wheel and from a checkout."""
    assert set(committed(*workdir.WORKFLOW, *workdir.EDITED)) <= files(installed)
    assert main(["workdir", str(tmp_path / "here")]) == 0
    assert files(tmp_path / "here") == files(installed)


def test_snakemake_plans_there(tmp_path: Path) -> None:
    assert main(["workdir", str(tmp_path / "a" / "b")]) == 0
    command = [sys.executable, "-m", "snakemake", "-n", "results/shapes/index/val.csv"]
    ended = subprocess.run(command, cwd=tmp_path / "a" / "b", capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0 and "index_images" in ended.stdout + ended.stderr


def test_an_update_replaces_the_workflow_and_keeps_what_people_edit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "here"
    assert main(["workdir", str(here), "--update"]) == 1
    assert "no working directory, it has no Snakefile" in capsys.readouterr().err
    assert main(["workdir", str(here)]) == 0
    (here / "rules" / "data.smk").write_text("an old rule\n")
    (here / "rules" / "gone.smk").write_text("a rule of an old version\n")
    (here / "config" / "voc12.yaml").write_text("mine: true\n")
    (here / "config" / "coco14.yaml").unlink()
    assert main(["workdir", str(here)]) == 1
    assert f"replace the workflow's files there: wsss workdir {here} --update" in capsys.readouterr().err
    assert main(["workdir", str(here), "--update"]) == 0
    assert not (here / "rules" / "gone.smk").exists()
    assert filecmp.cmp(here / "rules" / "data.smk", REPOSITORY / "rules" / "data.smk", shallow=False)
    assert (here / "config" / "voc12.yaml").read_text() == "mine: true\n"
    assert (here / "config" / "coco14.yaml").exists()


def test_a_package_without_the_workflow_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(workdir, "PACKAGE", tmp_path / "site-packages" / "wsss")
    assert main(["workdir", str(tmp_path / "here")]) == 1
    assert "installed without the workflow's files; install the package again" in capsys.readouterr().err
    assert not (tmp_path / "here").exists()
