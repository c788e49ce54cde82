"""Who gets which GPU when no scheduler says so; with made-up numbers of them, as no GPU is needed for it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch
from support.training import wait_for

from wsss.errors import UserError
from wsss.machine import devices
from wsss.machine.devices import VISIBLE, claim, count_gpus, torch_device
from wsss.machine.launch import in_processes


@pytest.fixture(autouse=True)
def no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said, and looking again for a free GPU takes no time. What a test sets is undone."""
    monkeypatch.setenv(VISIBLE, "")
    monkeypatch.delenv(VISIBLE)
    monkeypatch.setattr(devices, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(devices, "count_gpus", lambda: 0)
    monkeypatch.setattr(devices, "unusable", lambda: "")


def have(monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
    monkeypatch.setattr(devices, "count_gpus", lambda: gpus)


#: tests replace it in the module `time`
real_sleep = time.sleep


class Claimant:
    """Another process that claims GPUs and keeps them until it is told to end."""

    def __init__(self, wanted: int, locks: Path, children: Callable[[], Any] | None = None) -> None:
        context = get_context("fork")
        self.report, theirs = context.Pipe()

        def work() -> None:
            os.environ.pop(VISIBLE, None)
            claim(wanted, locks=locks)
            if children is not None:
                children()
            theirs.send(os.environ[VISIBLE])
            time.sleep(600)

        self.process: BaseProcess = context.Process(target=work, daemon=True)
        self.process.start()

    def got(self, seconds: float = 30.0) -> set[str] | None:
        """The devices it has, None if it still waits for them."""
        return set(self.report.recv().split(",")) if self.report.poll(seconds) else None

    def end(self) -> None:
        """However it ends, its devices are free."""
        self.process.kill()
        self.process.join()


def test_claims_do_not_overlap_and_waiting_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 4)
    first, second = Claimant(2, tmp_path), Claimant(1, tmp_path)
    a, b = first.got(), second.got()
    assert a is not None and b is not None
    assert len(a) == 2 and len(b) == 1 and not a & b
    # one is left, two are wanted
    third = Claimant(2, tmp_path)
    assert third.got(0.3) is None
    # and it is not held meanwhile
    fourth = Claimant(1, tmp_path)
    d = fourth.got()
    assert d is not None and not d & (a | b)
    first.end()
    assert third.got() == a
    for claimant in (second, third, fourth):
        claimant.end()


def test_a_claim_is_this_processs_and_its_childrens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 2)
    assert claim(1, locks=tmp_path) == 1
    assert os.environ[VISIBLE] == "0"
    other = Claimant(1, tmp_path)
    assert other.got() == {"1"}
    other.end()


def test_orphans_hold_no_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data-loading processes of a killed training live on for seconds."""
    have(monkeypatch, 1)

    def load_data() -> None:
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)

    killed = Claimant(1, tmp_path, load_data)
    assert killed.got() == {"0"}
    killed.end()
    next_one = Claimant(1, tmp_path)
    assert next_one.got(2.0) == {"0"}
    next_one.end()


def test_children_close_no_descriptor_but_a_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks that were released while waiting for more GPUs have left their numbers to other files."""
    have(monkeypatch, 2)
    files: list[int] = []

    def look_again(_: float) -> None:
        files.append(os.open(os.devnull, os.O_RDONLY))
        real_sleep(0.01)

    def fork() -> None:
        if (child := os.fork()) == 0:
            closed = [file for file in files if not os.path.exists(f"/proc/self/fd/{file}")]
            os._exit(len(closed))
        assert files and os.waitpid(child, 0)[1] == 0

    first = Claimant(1, tmp_path)
    assert first.got() == {"0"}
    monkeypatch.setattr(time, "sleep", look_again)
    second = Claimant(2, tmp_path, fork)
    assert second.got(0.3) is None
    first.end()
    assert second.got() == {"0", "1"}
    second.end()


def test_processes_of_a_training_keep_its_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when what started them was killed: they compute on."""
    have(monkeypatch, 2)
    pids = tmp_path / "pids"
    pids.mkdir()
    code = f"import os, time; open({str(pids)!r} + '/' + str(os.getpid()), 'w'); time.sleep(60)"

    launcher = Claimant(2, tmp_path / "locks", lambda: in_processes([sys.executable, "-c", code], 2))
    wait_for(lambda: len(list(pids.iterdir())) == 2)
    launcher.end()
    waiting = Claimant(1, tmp_path / "locks")
    assert waiting.got(0.3) is None
    for path in pids.iterdir():
        os.kill(int(path.name), signal.SIGKILL)
    assert waiting.got() == {"0"}
    waiting.end()


def test_more_than_there_are_is_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 3)
    claimant = Claimant(8, tmp_path)
    assert claimant.got() == {"0", "1", "2"}
    claimant.end()


def test_waiting_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    have(monkeypatch, 1)
    monkeypatch.setattr(devices, "TELL_EVERY", 0.05)
    monkeypatch.setattr(devices.LOGGER, "propagate", True)
    holder = Claimant(1, tmp_path)
    holder.got()

    def end_when_told(_: float) -> None:
        real_sleep(0.01)
        if caplog.messages:
            holder.end()

    monkeypatch.setattr(time, "sleep", end_when_told)
    with caplog.at_level("INFO", devices.LOGGER.name):
        assert claim(1, locks=tmp_path) == 1
    assert caplog.messages[0] == "waiting for 1 free GPUs of 1, in use by other processes, for 0s"
    assert caplog.messages[-1] == "computes on GPU 0 (of 1)"


SCHEDULED = {"5": 1, "2,3,7": 3, "GPU-8f3a,GPU-77": 2, "MIG-8f3a/1/0": 1, " 1 , 2 ": 2}
NOTHING = {"": 0, "-1": 0, "0,-1,1": 1, "NoDevFiles": 0}


@pytest.mark.parametrize("wanted", [1, 4])
@pytest.mark.parametrize(("visible", "given"), [*SCHEDULED.items(), *NOTHING.items()])
def test_what_a_scheduler_gives_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str, wanted: int, given: int
) -> None:
    have(monkeypatch, 8)
    monkeypatch.setenv(VISIBLE, visible)
    assert claim(wanted, locks=tmp_path) == min(wanted, given)
    assert os.environ[VISIBLE] == visible
    assert not list(tmp_path.iterdir())


def test_cpu_hides_the_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 8)
    assert claim(2, "cpu", tmp_path) == 0
    assert os.environ[VISIBLE] == ""
    assert not list(tmp_path.iterdir())


def test_auto_without_a_gpu_is_the_cpu(tmp_path: Path) -> None:
    assert claim(2, "auto", tmp_path) == 0
    assert VISIBLE not in os.environ


@pytest.mark.parametrize("visible", [None, "", "-1"])
def test_cuda_without_a_gpu_is_a_mistake(monkeypatch: pytest.MonkeyPatch, visible: str | None) -> None:
    if visible is not None:
        monkeypatch.setenv(VISIBLE, visible)
    says = r"machine\.device is cuda, but there is no GPU here.*allowed are auto, cpu"
    with pytest.raises(UserError, match=says):
        claim(1, "cuda")


@pytest.mark.parametrize(
    ("listed", "count"),
    [
        ("GPU 0: NVIDIA H100 (UUID: GPU-1)\nGPU 1: NVIDIA H100 (UUID: GPU-2)\n", 2),
        ("GPU 0: NVIDIA H100 (UUID: GPU-1)\n  MIG 1g.10gb Device 0: (UUID: MIG-1)\n", 1),
        ("No devices were found\n", 0),
        (None, 0),
    ],
)
def test_the_driver_is_asked(monkeypatch: pytest.MonkeyPatch, listed: str | None, count: int) -> None:
    def run(command: list[str], **_: Any) -> Any:
        if listed is None:
            raise FileNotFoundError(command[0])
        return subprocess.CompletedProcess(command, 0, stdout=listed)

    monkeypatch.setattr(subprocess, "run", run)
    assert count_gpus() == count


def test_locks_of_others_can_be_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that another user made are opened for reading only; a umask that hides files does not matter."""
    have(monkeypatch, 1)
    before = os.umask(0o077)
    try:
        claimant = Claimant(1, tmp_path / "locks")
        claimant.got()
        claimant.end()
    finally:
        os.umask(before)
    assert (tmp_path / "locks").stat().st_mode & 0o7777 == 0o1777
    lock = tmp_path / "locks" / "0"
    assert lock.stat().st_mode & 0o777 == 0o644
    opened: list[int] = []
    real_open = os.open
    monkeypatch.setattr(
        os, "open", lambda path, flags, *mode: (opened.append(flags), real_open(path, flags, *mode))[1]
    )
    assert claim(1, locks=tmp_path / "locks") == 1
    assert opened == [os.O_RDONLY]


def test_torch_device_sets_the_threads() -> None:
    before = torch.get_num_threads()
    try:
        device = torch_device(0, threads=1)
        assert torch.get_num_threads() == 1
        assert device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    finally:
        torch.set_num_threads(before)


def test_a_claim_before_torch_computes_is_in_time(tmp_path: Path) -> None:
    """torch may be imported already: it reads the variable when it first asks for devices."""
    code = (
        "import os, torch\n"
        "from pathlib import Path\n"
        "from wsss.machine import devices\n"
        "devices.count_gpus, devices.unusable = lambda: 3, lambda: ''\n"
        f"devices.claim(2, 'auto', Path({str(tmp_path)!r}))\n"
        "print(os.environ['CUDA_VISIBLE_DEVICES'], devices.torch_device(0, threads=1).type)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split()[0] == "0,1"


def test_the_first_claim_is_seen_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 2)
    claimant = Claimant(2, tmp_path)
    claimant.got()
    wait_for(lambda: sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"])
    claimant.end()
