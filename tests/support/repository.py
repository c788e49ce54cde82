"""What is committed in this repository."""

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def committed(*paths: str) -> list[str]:
    """The committed files below these paths, or all. Skips the test where there is no Git repository."""
    command = ["git", "ls-files", "--", *paths]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip(f"no Git repository: {listed.stderr.strip()}")
    return [path for path in listed.stdout.split("\n") if path and (REPOSITORY / path).exists()]
