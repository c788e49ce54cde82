"""What `wsss doctor` sees of a machine, and what it tells to type."""

import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from wsss import crf
from wsss.cli import main
from wsss.commands import diagnosis, slurm
from wsss.commands.diagnosis import examine
from wsss.commands.findings import Finding
from wsss.store.files import write_text

VOC = "dataset:\n  kind: voc\n  root: data/VOC\n"


@pytest.fixture
def findings(here: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, Finding]]:
    """What is found in an empty directory of a machine without GPU and SLURM, but for what a test sets up."""
    monkeypatch.setattr(diagnosis, "count_gpus", lambda: 0)
    monkeypatch.setattr(diagnosis.shutil, "which", lambda _: None)
    write_text(Path("config", "mine.yaml"), VOC)
    return lambda: {finding.name: finding for finding in examine()}


def test_what_works_needs_no_remedy(findings: Callable[[], dict[str, Finding]]) -> None:
    found = findings()
    assert found["torch"] == Finding("ok", "torch", version("torch"))
    assert found["dense CRF"] == Finding("ok", "dense CRF", "works")
    assert all(finding.state != "ok" or not finding.remedy for finding in found.values())
    assert all(finding.state == "ok" or finding.remedy for finding in found.values())


def test_a_crf_that_does_not_work_is_missing(
    findings: Callable[[], dict[str, Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ImportError("numpy.core.multiarray failed to import")

    monkeypatch.setattr(crf, "refine_labels", broken)
    finding = findings()["dense CRF"]
    assert finding.state == "missing" and "multiarray" in finding.detail and "make install" in finding.remedy


def test_a_gpu_that_torch_cannot_use_is_told(
    findings: Callable[[], dict[str, Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "count_gpus", lambda: 2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.version, "cuda", None)
    assert findings()["GPU"].remedy == "make install TORCH=cuda"
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES is ''" in findings()["GPU"].detail


def test_data_are_looked_for_once_per_root(findings: Callable[[], dict[str, Finding]]) -> None:
    write_text(Path("config", "other.yaml"), "extends: mine\n")
    finding = findings()["data in data/VOC"]
    assert finding.state == "note" and finding.remedy == "ln -s /path/to/the/data data/VOC"
    write_text(Path("data", "VOC", "JPEGImages", "a.jpg"), "")
    assert findings()["data in data/VOC"].detail == "1 images, for mine, other"
    write_text(Path("config", "wrong.yaml"), "extends: nobody\n")
    assert findings()["run wrong"].state == "missing"


@pytest.mark.parametrize(
    ("profile", "state", "says"),
    [
        (None, "note", "make slurm-profile"),
        ("default-resources: {slurm_partition: cpu}\nset-resources: {a: {slurm_partition: gpu}}\n", "ok", ""),
        ("default-resources: {slurm_partition: 'cpu,fast'}\n", "missing", "edit slurm_partition"),
    ],
    ids=["none", "fits", "does not fit"],
)
def test_the_profile_is_held_against_the_clusters_partitions(
    findings: Callable[[], dict[str, Finding]],
    monkeypatch: pytest.MonkeyPatch,
    profile: str | None,
    state: str,
    says: str,
) -> None:
    monkeypatch.setattr(diagnosis.shutil, "which", lambda name: f"/usr/bin/{name}")
    told = subprocess.CompletedProcess([], 0, stdout="cpu\ngpu\n")
    monkeypatch.setattr(slurm.subprocess, "run", lambda *_, **__: told)
    if profile is not None:
        write_text(Path("slurm", "config.yaml"), profile)
    found = findings()
    assert found["Slurm"].detail == "partitions cpu, gpu"
    assert found["slurm/config.yaml"].state == state and says in found["slurm/config.yaml"].remedy


def test_a_small_disk_is_told(
    findings: Callable[[], dict[str, Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "LEAST_DISK", 1e9)
    assert findings()["disk"].remedy == "make results/ a link to a larger disk"


def test_the_command_prints_all_and_ends_with_what_is_missing(
    here: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert f"ok       torch: {version('torch')}\n" in printed
    assert "missing  runs: no config/*.yaml in" in printed and "→ wsss workdir DIR && cd DIR" in printed


def test_licenses_that_are_not_open_are_named(findings: Callable[[], dict[str, Finding]]) -> None:
    network = "    network:\n      backbone: vit_base_patch16_224.mae\n"
    write_text(Path("config", "mae.yaml"), f"extends: mine\npriors:\n{network.replace('    ', '  ', 1)}")
    found = findings()
    note = found["weights of vit_base_patch16_224.mae"]
    assert note.state == "note" and "cc-by-nc-4.0" in note.detail and "mae" in note.detail
    assert not any("resnest269e" in name for name in found)


def test_a_home_that_cannot_be_written_is_told(
    findings: Callable[[], dict[str, Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "XDG_CACHE_HOME" not in findings()
    monkeypatch.setenv("HOME", "/proc/nowhere")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    finding = findings()["XDG_CACHE_HOME"]
    assert finding.state == "note" and finding.detail == "/proc/nowhere/.cache cannot be written"
    assert finding.remedy == "export XDG_CACHE_HOME=$PWD/.snakemake/cache"
