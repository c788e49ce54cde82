"""Fixtures that every test may use."""

import json
import os
import shutil
import signal
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.chain import Toy
from support.fault_table import fault, rows_of, table
from support.loose_module import module_of

# A shell that starts the tests in the background has them ignore SIGINT, which some of them send.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parent.parent

__all__ = ["fault"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """See tests/support/fault_table.py."""
    what = "run the tests of faults only, and write what they saw as a table"
    parser.addoption("--faults", type=Path, metavar="FILE", help=what)


def pytest_configure(config: pytest.Config) -> None:
    """Without tests on a real Slurm, Slurm's commands must not keep each start of Snakemake waiting.

    Snakemake's plugin asks `scontrol` for its settings, which takes ten seconds where there is no controller.
    """
    if config.option.markexpr != "slurm" and (slurm := shutil.which("scontrol")):
        folder = Path(tempfile.mkdtemp(prefix="no-slurm-"))
        (folder / Path(slurm).name).symlink_to(shutil.which("false") or "/bin/false")
        os.environ["PATH"] = os.pathsep.join([str(folder), os.environ["PATH"]])
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Those that have a row in the table."""
    if config.getoption("--faults"):
        items[:] = [item for item in items if "fault" in getattr(item, "fixturenames", ())]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table of faults."""
    if path := config.getoption("--faults"):
        reports = (report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind))
        path.write_text(table(rows_of(reports)), encoding="utf-8")


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


@pytest.fixture(scope="session")
def fill(shared: Path) -> ModuleType:
    """The module that makes parameters and images of the golden values."""
    return module_of(shared / "golden" / "fill.py")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test is in a directory of its own, and torch has one thread."""
    import torch

    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def toy(here: None, tmp_path: Path) -> Toy:
    """A tiny run with an index, CAMs and saliency."""
    return Toy(tmp_path)


@pytest.fixture(scope="session")
def golden_tower(shared: Path, fill: ModuleType) -> Any:
    """CLIP's image tower with the parameters of the golden values."""
    from support.clip import filled_tower

    about = json.loads((shared / "golden" / "clip_es.json").read_text(encoding="utf-8"))
    return filled_tower(about["parameters"], fill.filled)
