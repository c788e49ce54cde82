"""A home that cannot be written, as on some clusters and in containers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.workflow import TINY, command

from wsss.store.files import write_text


@pytest.mark.parametrize("home", ["/proc/nobody", "/dev/null/nobody"])
def test_the_workflow_needs_no_home(tmp_path: Path, home: str) -> None:
    write_text(tmp_path / "config" / "tiny.yaml", json.dumps(TINY))
    caches = [name for name in os.environ if name.startswith("XDG_")]
    environment = {name: value for name, value in os.environ.items() if name not in caches} | {"HOME": home}
    called = command("--cores", "1", "results/tiny/index/train.csv")
    done = subprocess.run(called, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "results" / "tiny" / "index" / "train.csv").is_file()


def test_commands_need_no_home(tmp_path: Path) -> None:
    write_text(tmp_path / "config" / "tiny.yaml", json.dumps(TINY))
    environment = {**os.environ, "HOME": "/proc/nobody"}
    called = [sys.executable, "-m", "wsss.cli", "status", "tiny"]
    done = subprocess.run(called, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
