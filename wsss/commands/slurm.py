"""Checks of Slurm: its commands, the plugin, and the partitions of the profile."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from wsss.commands.findings import Finding, installed_version

PLUGIN = "snakemake-executor-plugin-slurm"


def slurm() -> Iterator[Finding]:
    """All of them, on a machine that submits jobs."""
    if shutil.which("sbatch") is None:
        yield Finding(
            "note", "Slurm", "no sbatch", "on a cluster, log in to a node from which jobs are submitted"
        )
        return
    partitions = _output("sinfo", "-h", "-o", "%R")
    if partitions is None:
        remedy = "log in to a node from which jobs are submitted; `sinfo` must list the partitions"
        yield Finding("note", "Slurm", "sbatch exists, but sinfo fails", remedy)
        return
    known = sorted(set(partitions.split()))
    yield Finding("ok", "Slurm", f"partitions {', '.join(known)}")
    found = installed_version(PLUGIN)
    yield Finding(
        "ok" if found else "missing", PLUGIN, found or "not installed", "" if found else "make install"
    )
    profile = Path("slurm", "config.yaml")
    if not profile.is_file():
        yield Finding("note", "slurm/config.yaml", "not set up", "make slurm-profile")
        return
    wanted = sorted(_partitions(yaml.safe_load(profile.read_text(encoding="utf-8"))))
    unknown = [name for name in wanted if name not in known]
    remedy = f"edit slurm_partition in {profile}" if unknown else ""
    found = f"partitions {', '.join(wanted)}" + (f"; unknown: {', '.join(unknown)}" if unknown else "")
    yield Finding("missing" if unknown else "ok", str(profile), found, remedy)


def _partitions(profile: Any) -> set[str]:
    """The partitions in a profile, comma-separated lists of them split."""
    if not isinstance(profile, dict):
        return set()
    found = {part for part in str(profile.get("slurm_partition") or "").split(",") if part}
    return found.union(*(_partitions(value) for value in profile.values()))


def _output(*command: str) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
