"""The outputs of a finished training, retained for a Snakemake that has not recorded them."""

import os
from pathlib import Path

import pytest

from wsss.store.retained import discard, restore, retain


def write(*paths: Path) -> tuple[Path, ...]:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
        os.utime(path, (1, 1))
    return paths


@pytest.mark.parametrize("links", [True, False])
def test_what_is_held_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    def refuse(*_: object) -> None:
        raise OSError("this file system has no hard links")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    files = write(tmp_path / "metrics" / "oc.csv", tmp_path / "models" / "oc.safetensors")
    held = tmp_path / "finished" / "oc-d1"
    retain(held, files)
    retain(held, files)
    for file in files:
        assert not links or (held / file.name).samefile(file)
        file.unlink()
    assert restore(held, files) and [file.read_text() for file in files] == [file.name for file in files]
    assert all(file.stat().st_mtime > 1 for file in files), "as new as the job that took them"


def test_nothing_is_given_back_but_the_whole_of_that_configuration(tmp_path: Path) -> None:
    files = write(tmp_path / "oc.csv", tmp_path / "oc.safetensors")
    retain(tmp_path / "finished" / "oc-d1", files[:1])
    for file in files:
        file.unlink()
    assert not restore(tmp_path / "finished" / "oc-d1", files)
    assert not restore(tmp_path / "finished" / "oc-d2", files[:1])
    assert not any(file.exists() for file in files)


def test_a_stage_is_forgotten_with_all_its_configurations(tmp_path: Path) -> None:
    files = write(tmp_path / "m.safetensors")
    for name in ("oc-d1", "oc-d2", "c2am-d1"):
        retain(tmp_path / "finished" / name, files)
    discard(tmp_path, "oc")
    assert [path.name for path in (tmp_path / "finished").iterdir()] == ["c2am-d1"]
    discard(tmp_path, "c2am")
    assert not (tmp_path / "finished").exists()
    discard(tmp_path / "none", "oc")
