"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

import wsss  # noqa: F401  before torch: it says how torch's threads wait

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """Golden values and real images, which are not part of the product; tests skip where they are absent."""
    path = Path(os.environ.get("WSSS_SHARED", REPOSITORY.parent / "shared"))
    if not (path / "golden").is_dir():
        pytest.skip(f"no golden values and images at {path} (set WSSS_SHARED to their directory)")
    return path
