"""A home directory that cannot be written: caches go elsewhere, and nothing warns of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wsss.machine.caches import XDG, replace_caches, unwritable_caches

#: nobody can make a directory there, root included
NOWHERE = "/proc/nowhere"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in XDG:
        monkeypatch.setenv(name, "")


def test_a_home_that_can_be_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert unwritable_caches() == {}
    replace_caches(tmp_path / "elsewhere")
    assert not any(os.environ[name] for name in XDG) and not (tmp_path / "elsewhere").exists()


def test_caches_of_a_home_that_cannot_be_written_go_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What matplotlib says then is the proof: nothing."""
    monkeypatch.setenv("HOME", NOWHERE)
    imports = [sys.executable, "-c", "import matplotlib.font_manager"]
    warned = subprocess.run(imports, capture_output=True, text=True, check=True).stderr
    assert "is not a writable directory" in warned or "temporary cache directory" in warned
    assert set(unwritable_caches()) == set(XDG)
    replace_caches(tmp_path)
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "cache") and unwritable_caches() == {}
    assert subprocess.run(imports, capture_output=True, text=True, check=True).stderr == ""
    assert (tmp_path / "cache" / "matplotlib").is_dir()


def test_what_the_user_has_set_stays_if_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", NOWHERE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    assert set(unwritable_caches()) == {"XDG_CONFIG_HOME"}
    replace_caches(tmp_path)
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "own")
