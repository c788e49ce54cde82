"""Containers: their files name what there is; scripts run through the command that the profile names."""

import re
import stat
from pathlib import Path

import pytest
import yaml
from support.workflow import REPOSITORY, TINY, snakemake, write_run

CONTAINERS = REPOSITORY / "containers"


def text(name: str) -> str:
    return (CONTAINERS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["Dockerfile", "wsss.def"])
def test_images_are_made_by_the_installer(name: str) -> None:
    """With arguments that it takes, a Python that it accepts, and the compiler that it asks for."""
    made = text(name)
    assert "python:3.12-slim-bookworm" in made and "g++" in made and "VENV=/opt/venv" in made
    (script,) = re.findall(r"(\S+/install\.sh) ", made)
    assert (REPOSITORY / script).stat().st_mode & stat.S_IXUSR
    assert re.search(r"TORCH=cpu", made) and re.search(r"TORCH=cuda", made)


def test_what_git_ignores_is_not_copied() -> None:
    ignored = set((REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines())
    made = {".venv", "build", "data", "logs", "results", "slurm", "wsss/crf/lib", ".git", ".snakemake"}
    assert made <= ignored
    needed = {"wsss", "tools", "rules", "workflow", "config", "profiles", "requirements.lock", "setup.py"}
    assert not needed & ignored


def test_conda_takes_the_lock() -> None:
    about = yaml.safe_load(text("environment.yml"))
    *_, pip = about["dependencies"]
    assert pip["pip"] == ["-r ../requirements.lock", "-e .."] and "cxx-compiler" in about["dependencies"]


def test_scripts_run_through_the_command(tmp_path: Path) -> None:
    """The command notes what it runs; without it the file is not made again."""
    wrapper = tmp_path / "container"
    wrapper.write_text('#!/bin/sh\necho "$@" >> ran\nexec "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    small = {"dataset": {"kind": "shapes", "train_images": 2, "val_images": 1, "size": 32}}
    write_run(tmp_path, "tiny", {**TINY, **small})
    asked = ("--cores", "1", "results/tiny/data")
    status, printed = snakemake(tmp_path, *asked, "--config", f"container={wrapper}")
    assert status == 0, printed
    ran = (tmp_path / "ran").read_text(encoding="utf-8")
    assert ran.startswith("python -m workflow.scripts.make_shapes --run tiny") and ran.count("\n") == 1
    status, printed = snakemake(tmp_path, *asked)
    assert status == 0 and "Nothing to be done" in printed, printed
