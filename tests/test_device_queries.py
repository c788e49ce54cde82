"""Nothing asks CUDA for devices before a claim: CUDA reads which ones it may use once, at the first query.

What the scripts do after their imports is held by every test that makes a chain
(tests/support/commands_in_one_process.py): there, an early query fails the command.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.chain import BACKBONE, CLASSES, Toy
from support.device_queries import watch_queries

from wsss.cli import COMMANDS, main
from wsss.machine import devices
from wsss.models import DeepLabV3Plus
from wsss.store.networks import Header, save_model

REPOSITORY = Path(__file__).resolve().parent.parent
SCRIPTS = [f"workflow.scripts.{path.stem}" for path in (REPOSITORY / "workflow/scripts").glob("[!_]*.py")]


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """CUDA_VISIBLE_DEVICES at every query of torch's for devices; there are none."""
    asked: list[str | None] = []
    watch_queries(lambda: asked.append(os.environ.get(devices.VISIBLE)), monkeypatch.setattr)
    monkeypatch.setenv(devices.VISIBLE, "")
    monkeypatch.delenv(devices.VISIBLE)
    return asked


def test_imports_ask_for_no_device() -> None:
    """Of all scripts and commands, in one process."""
    program = f"""
import importlib, torch
from tests.support.device_queries import watch_queries
asked = []
watch_queries(lambda: asked.append(name))
for name in {sorted([*SCRIPTS, *COMMANDS.values()])}:
    importlib.import_module(name)
assert not asked, asked
torch.cuda.is_available()
assert asked, "a query that is not seen"
"""
    bare = {name: value for name, value in os.environ.items() if name != devices.VISIBLE}
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, env=bare, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr


def test_predictions_claim_their_device_first(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, queries: list[str | None]
) -> None:
    """As if there was a GPU; torch then finds none, and the CPU computes."""
    torch.manual_seed(0)
    header = Header("DeepLabV3Plus", BACKBONE, 16, CLASSES, toy.run.digest("segmentation"))
    save_model(toy.run.output("segmentation"), DeepLabV3Plus(BACKBONE, len(CLASSES) + 1), header)
    config = Path("config/toy.yaml")
    config.write_text(config.read_text().replace('"device": "cpu"', '"device": "auto"'))
    monkeypatch.setattr(devices, "count_gpus", lambda: 1)
    monkeypatch.setattr(devices, "unusable", lambda: "")
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    photograph = str(toy.index.records[0].image)
    assert main(["predict", photograph, "--run", "toy", "--out", "out"]) == 0
    assert set(queries) == {"0"}


def test_a_chain_fails_where_one_is_asked_for_early(tmp_path: Path) -> None:
    """The guard of the tests that make chains sees a query."""
    (tmp_path / "early.py").write_text("import torch\ntorch.cuda.is_available()\n")
    (tmp_path / "commands").write_text("python -m early\n")
    runner = REPOSITORY / "tests" / "support" / "commands_in_one_process.py"
    ended = subprocess.run(
        [sys.executable, str(runner), "commands"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode and "CUDA is asked for devices before a claim" in ended.stderr


# --- what torch_device makes of a claim ---


def test_cpu_is_kept_where_torch_has_counted_devices_before(
    monkeypatch: pytest.MonkeyPatch, queries: list[str | None]
) -> None:
    """torch keeps the count of its first query, whatever a later claim hides: here one of four devices."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for count in (0, 4):
        monkeypatch.setattr(torch.cuda, "device_count", lambda count=count: count)
        assert devices.claim(1, "cpu") == 0
        assert devices.torch_device(threads=1) == torch.device("cpu")


@pytest.mark.parametrize(
    ("cuda", "reason"),
    [
        (None, r"torch .* is a CPU build; install one for GPUs: make install TORCH=cuda"),
        ("12.8", r"torch .*, built for CUDA 12\.8, can't use this machine's driver; update the driver"),
    ],
)
def test_a_gpu_that_torch_cannot_use(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    queries: list[str | None],
    cuda: str | None,
    reason: str,
) -> None:
    """A driver with GPUs beside a CPU build of torch, or one that the driver is too old for."""
    monkeypatch.setattr(devices, "count_gpus", lambda: 2)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(devices.LOGGER, "propagate", True)
    with pytest.raises(devices.UserError, match=f"machine.device is cuda, but {reason}"):
        devices.claim(1, "cuda", tmp_path)
    monkeypatch.delenv(devices.VISIBLE)
    assert devices.claim(1, "auto", tmp_path / "others") == 0
    assert "computes on the CPU, not on a GPU" in caplog.messages[-1]
    assert devices.torch_device(threads=1) == torch.device("cpu")
