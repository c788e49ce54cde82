"""What data-loading processes pass on: the same batches, and a clean message when shared memory is full."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from wsss.errors import UserError
from wsss.machine.loading import loading, to_device

MEBIBYTE = 1 << 20
FULL = "machine.workers: 0, or give a container more of it .docker run --shm-size"


class Noise(Dataset[dict[str, Any]]):
    """Samples of a few MiB."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, position: int) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(position)
        noise = torch.randint(0, 256, (4, MEBIBYTE), dtype=torch.uint8, generator=generator)
        return {"noise": noise, "id": f"id{position}"}


@pytest.mark.parametrize("batch_size", [None, 2])
def test_processes_pass_on_what_one_process_loads(batch_size: int | None) -> None:
    with (
        loading(Noise(), 0, batch_size=batch_size) as alone,
        loading(Noise(), 2, batch_size=batch_size) as two,
    ):
        for one, other in zip(alone, two, strict=True):
            assert one["id"] == other["id"] and torch.equal(one["noise"], other["noise"])


def test_to_device_keeps_the_form_of_a_batch() -> None:
    batch = {"image": [torch.zeros(1), torch.ones(2)], "id": ["a", "b"], "size": (3, torch.ones(1))}
    meta = to_device(batch, torch.device("meta"))
    assert [tensor.device.type for tensor in meta["image"]] == ["meta", "meta"]
    assert meta["id"] == ["a", "b"] and meta["size"][0] == 3 and meta["size"][1].device.type == "meta"


@pytest.mark.parametrize(
    "message",
    [
        "unable to allocate shared memory(shm) for file </torch_1_2_0>: No space left on device (28)",
        "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers "
        "are out of shared memory. Please try to raise your shared memory limit.",
    ],
)
def test_full_shared_memory_is_told_from_a_full_disk(message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Tensor) -> Tensor:
        raise RuntimeError(message)

    monkeypatch.setattr(Tensor, "share_memory_", full)
    with (
        pytest.raises(UserError, match=rf"^shared memory .*{FULL}"),
        loading(Noise(), 1, batch_size=None) as loaded,
    ):
        list(loaded)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="unforeseen"), loading(Noise(), 0):
        raise RuntimeError("unforeseen")


def test_an_error_leaves_no_processes_that_the_interpreter_would_wait_for(tmp_path: Path) -> None:
    """The generator that holds the loader is kept alive by the traceback, until the interpreter ends."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_loading import Noise, loading\n"
        "def batches():\n"
        "    with loading(Noise(), 2, batch_size=None) as loaded: yield from loaded\n"
        "def consume():\n"
        "    held = batches()\n"
        "    for batch in held: raise ValueError('unforeseen')\n"
        "consume()\n"
    )
    (tmp_path / "load.py").write_text(code)
    command = [sys.executable, "load.py", str(Path(__file__).parent)]
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    ended = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1 and "unforeseen" in ended.stderr


@pytest.mark.parametrize("batch_size", [None, 2])
def test_a_small_dev_shm(batch_size: int | None, tmp_path: Path) -> None:
    """For real, where this process may mount a file system of its own."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_loading import Noise, UserError, loading\n"
        "try:\n"
        f"    with loading(Noise(), 2, batch_size={batch_size}) as loaded: list(loaded)\n"
        "except UserError as error: sys.exit(str(error))\n"
    )
    (tmp_path / "load.py").write_text(code)
    mount = 'mount -t tmpfs -o size=3m tmpfs /dev/shm || exit 77; exec "$@"'
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh"]
    command += [sys.executable, "load.py", str(Path(__file__).parent)]
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    ended = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=120)
    if ended.returncode == 77 or "unshare:" in ended.stderr:
        pytest.skip(f"no file system of its own here: {ended.stderr.strip()}")
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert ended.stderr.startswith("shared memory (/dev/shm) of 3 MB is full; ")
