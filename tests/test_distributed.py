"""Several processes train as one does; and they end together, whatever ends one of them."""

import json
import os
import signal
import socket
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from support import training
from support.processes import FIXED, forked, in_two_processes, results
from support.training import build, newest_step, train, wait_for, weights

from wsss.errors import PeerLost, Preempted, UserError
from wsss.machine import distributed, launch
from wsss.machine.launch import in_processes, launched_rank


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def command(*trainings: tuple[Path, dict[str, Any]]) -> list[str]:
    """Trains the toy in these directories, one after the other."""
    for directory, _ in trainings:
        directory.mkdir(parents=True, exist_ok=True)
    asked = [word for directory, keywords in trainings for word in (str(directory), json.dumps(keywords))]
    return [sys.executable, training.__file__, *asked]


def assert_close(ours: dict[str, torch.Tensor], one_process: dict[str, torch.Tensor]) -> None:
    for name, value in one_process.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-5, atol=1e-7, msg=name)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two processes have trained `fixed` and `normal`, and were stopped by a signal during `left`."""
    root = tmp_path_factory.mktemp("pair")
    averaged = {"optimisation": {"ema": {"every": 1, "warmup_epochs": 0}}}
    asked = command(
        (root / "fixed", FIXED),
        (root / "normal", {"norm": "normal", "blocks": averaged}),
        (root / "left", {**FIXED, "images": {"slow": 0.05}}),
    )
    launcher = forked(root / "said", lambda: in_processes(asked, 2))
    metrics = root / "left" / "checkpoints" / "metrics.csv"
    wait_for(lambda: metrics.exists() and len(metrics.read_text().splitlines()) > 2)
    assert launcher.pid is not None
    os.kill(launcher.pid, signal.SIGTERM)
    launcher.join()
    assert launcher.exitcode == Preempted.EXIT_STATUS, (root / "said").read_text()
    return root


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    """Where one process has trained `fixed`, and its weights."""
    root = tmp_path_factory.mktemp("alone")
    training = build(root, **FIXED)
    training.run()
    return root, weights(training)


def test_two_processes_are_one(pair: Path, alone: tuple[Path, dict[str, torch.Tensor]]) -> None:
    first, second = results(pair / "fixed")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert_close(first, alone[1])
    untrained = weights(build(pair / "untrained", **FIXED))
    assert not torch.equal(first["oc.body.0.weight"], untrained["oc.body.0.weight"])


def test_their_metrics_are_those_of_the_whole_batch(
    pair: Path, alone: tuple[Path, dict[str, torch.Tensor]]
) -> None:
    courses = [
        (path / "checkpoints" / "metrics.csv").read_text().splitlines() for path in (pair / "fixed", alone[0])
    ]
    (names, *ours), (other_names, *theirs) = [[line.split(",")[:9] for line in course] for course in courses]
    assert names == other_names and len(ours) == len(theirs) == 12
    for row, other in zip(ours, theirs, strict=True):
        assert [float(value) for value in row] == pytest.approx([float(value) for value in other], rel=1e-4)


def test_running_statistics_are_those_of_the_first(pair: Path) -> None:
    first, second = results(pair / "normal")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first["generator.body.1.num_batches_tracked"] > 0


def test_a_signal_to_the_launcher_saves_and_other_processes_resume(
    pair: Path, alone: tuple[Path, dict[str, torch.Tensor]]
) -> None:
    assert "Traceback" not in (pair / "said").read_text()
    assert 2 <= newest_step(pair / "left") < 12
    resumed = build(pair / "left", **FIXED)
    resumed.run()
    assert_close(weights(resumed), alone[1])


def test_an_error_in_one_process_ends_both(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1])}

    def work(rank: int) -> int:
        os.environ.update(shared, RANK=str(rank))
        distributed.join()
        nan = train(tmp_path / "nan", images={"nan": "image7"})
        broken = train(tmp_path / "broken", images={"broken": "image7"})
        assert nan == UserError.EXIT_STATUS
        return broken

    pair = [forked(tmp_path / f"said{rank}", partial(work, rank)) for rank in (0, 1)]
    for process in pair:
        process.join()
    # the second failure is one process's own, and leaves the other alone
    assert sorted(process.exitcode or 0 for process in pair) == [UserError.EXIT_STATUS, PeerLost.EXIT_STATUS]
    first, second = [(tmp_path / f"said{rank}").read_text() for rank in (0, 1)]
    assert (first + second).count("UserError: image7.jpg: image does not decode") == 1
    assert (first + second).count("PeerLost: another process of the training has ended") == 1
    # the first failure is found by both, and both name the images of both
    lines = [said.splitlines()[:2] for said in (first, second)]
    assert lines[0] == lines[1] and lines[0][0].startswith("UserError: toy: the loss of the generator is not")
    images = lines[0][1].removeprefix("Images of this step: ").rstrip(".").split(", ")
    assert len(images) == 4 and "image7" in images


def test_a_process_that_hangs_is_reported_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "TIMEOUT", timedelta(seconds=2))

    def work(rank: int) -> str:
        if rank:
            time.sleep(8)
            return ""
        with pytest.raises(PeerLost, match="another process of the training has ended or hangs") as error:
            distributed.total(torch.ones(1))
        return str(error.value)

    began = time.monotonic()
    assert "Timed out" in in_two_processes(tmp_path, work)[0]
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (dist.DistBackendError("ncclRemoteError: remote process exited"), PeerLost, "has ended or hangs"),
        (dist.DistNetworkError("The client socket has timed out after 600s"), PeerLost, "has ended or hangs"),
        (RuntimeError("[pair.cc:553] Connection closed by peer [::1]:1"), PeerLost, "has ended or hangs"),
        (dist.DistBackendError("NCCL error: unhandled system error"), UserError, "NCCL_DEBUG=INFO"),
        (RuntimeError("tensors of different shapes"), RuntimeError, "different shapes"),
    ],
)
def test_failures_of_the_backend_are_told_apart(
    error: Exception, expected: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(distributed, "world", lambda: 2)
    monkeypatch.setattr(dist, "all_reduce", fail)
    with pytest.raises(expected, match=message):
        distributed.total(torch.ones(1))


# ---- the launcher alone ------------------------------------------------------------------------------------


PREAMBLE = "import os, sys, time\nrank = int(os.environ['RANK'])\n"


def processes(code: str, count: int = 2) -> int:
    """The launcher's status for processes of a few lines, which know their rank."""
    return in_processes([sys.executable, "-c", PREAMBLE + code], count)


def test_the_environment_is_torchruns() -> None:
    code = """
assert os.environ["WORLD_SIZE"] == "3" and os.environ["LOCAL_RANK"] == str(rank)
assert os.environ["MASTER_ADDR"] and int(os.environ["MASTER_PORT"]) > 0
sys.exit(0)"""
    assert processes(code, 3) == 0


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ("sys.exit(0)", 0),
        ("sys.exit([69, 1][rank])", 1),
        ("sys.exit([2, 69][rank])", 2),
        ("sys.exit([2, 1][rank])", 1),
        ("sys.exit([75, 69][rank])", 75),
        ("sys.exit([75, 2][rank])", 2),
        ("os.kill(os.getpid(), 9) if rank else sys.exit(69)", 128 + 9),
    ],
)
def test_the_status_is_that_of_the_cause(ends: str, status: int) -> None:
    assert processes(ends) == status


def test_a_process_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "GRACE", 0.2)
    began = time.monotonic()
    assert processes("time.sleep(60) if rank else sys.exit(2)") == 2
    assert time.monotonic() - began < 20


def test_one_that_has_saved_does_not_hurry_another_that_saves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "GRACE", 0.0)
    assert processes("time.sleep(0 if rank else 0.6); sys.exit(75)") == 75


def test_ctrl_c_reaches_each_process_once(tmp_path: Path) -> None:
    """A terminal sends it to the whole group; a second one would end the training without a checkpoint."""
    code = """
import signal
count = 0
def note(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, note)
open(sys.argv[1] + f"/ready{rank}", "w").close()
time.sleep(1.5)
sys.exit(0 if count == 1 else 3)"""
    ready = [
        sys.executable,
        "-c",
        f"import os, sys, time\nrank = int(os.environ['RANK'])\n{code}",
        str(tmp_path),
    ]

    def work() -> int:
        os.setpgid(0, 0)
        return in_processes(ready, 2)

    launcher = forked(tmp_path / "said", work)
    wait_for(lambda: all((tmp_path / f"ready{rank}").exists() for rank in (0, 1)))
    assert launcher.pid is not None
    os.killpg(launcher.pid, signal.SIGINT)
    launcher.join()
    assert launcher.exitcode == 0, (tmp_path / "said").read_text()


def test_rank_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert launched_rank() is None
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert launched_rank() is None
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert launched_rank() == 1
    assert PeerLost.EXIT_STATUS not in (0, UserError.EXIT_STATUS, Preempted.EXIT_STATUS)
