"""A training on several nodes; a small `srun` stands for Slurm's, which tests/test_slurm.py has."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest
import torch
from support import training
from support.processes import FIXED, forked, results
from support.training import wait_for

from wsss.errors import PeerLost, Preempted, UserError
from wsss.machine.launch import in_processes, launched_by, launched_here, launched_rank, on_nodes
from wsss.machine.nodes import STORE, this_node

#: starts what it is given as often as it is told, passes on signals, and exits with the highest status
SRUN = f"""#!{sys.executable}
import os, signal, subprocess, sys
words = sys.argv[1:]
options = dict(word.partition("=")[::2] for word in words if word.startswith("--"))
command = words[len(options):]
tasks = [
    subprocess.Popen(command, env=os.environ | {{"SLURM_PROCID": str(number)}}, process_group=0)
    for number in range(int(options["--ntasks"]))
]
def pass_on(number, _):
    for task in tasks:
        task.send_signal(number)
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, pass_on)
sys.exit(max(task.wait() for task in tasks))
"""
#: what is started on each node: so many processes of a command as its number says
AGENT = """
import json, sys
from wsss.machine import launch
from wsss.machine.nodes import this_node
launch.GRACE = 0.5
command, counts = json.loads(sys.argv[1]), json.loads(sys.argv[2])
sys.exit(launch.in_processes(command, counts[this_node().number]))
"""


@pytest.fixture(autouse=True)
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is one of a Slurm job's."""
    (tmp_path / "bin").mkdir()
    srun = tmp_path / "bin" / "srun"
    srun.write_text(SRUN)
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", f"{srun.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "1")


def started(command: list[str], *counts: int) -> int:
    """The status of a command that has `counts[i]` processes on node i."""
    agent = [sys.executable, "-c", AGENT, json.dumps(command), json.dumps(counts)]
    return on_nodes(agent, len(counts), threads=1)


def lines(code: str) -> list[str]:
    """A command of a few lines, which know their rank."""
    return [sys.executable, "-c", f"import os, sys, time\nrank = int(os.environ['RANK'])\n{code}"]


def test_processes_are_numbered_through_all_nodes(tmp_path: Path) -> None:
    code = f"""
names = ("WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
open({str(tmp_path)!r} + f"/{{rank}}", "w").write(" ".join(os.environ[name] for name in names))"""
    assert started(lines(code), 1, 3, 2) == 0
    told = [(tmp_path / str(rank)).read_text() for rank in range(6)]
    assert told == ["6 0 1", "6 0 3", "6 1 3", "6 2 3", "6 0 2", "6 1 2"]


def test_two_nodes_train_as_two_processes_do(tmp_path: Path) -> None:
    def trains(directory: Path) -> list[str]:
        directory.mkdir()
        return [sys.executable, training.__file__, str(directory), json.dumps(FIXED)]

    assert started(trains(tmp_path / "nodes"), 1, 1) == 0
    assert in_processes(trains(tmp_path / "node"), 2) == 0
    for ours, theirs in zip(results(tmp_path / "nodes"), results(tmp_path / "node"), strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_what_fails_on_one_node_ends_the_others() -> None:
    assert started(lines("time.sleep(60) if rank else sys.exit(2)"), 1, 1) in (2, 128 + signal.SIGKILL)
    assert started(lines("sys.exit([69, 1, 69][rank])"), 1, 2) == PeerLost.EXIT_STATUS


def test_a_signal_reaches_all_nodes(tmp_path: Path) -> None:
    code = f"""
import signal
signal.signal(signal.SIGUSR1, lambda *_: sys.exit({Preempted.EXIT_STATUS}))
open({str(tmp_path)!r} + f"/ready{{rank}}", "w").close()
time.sleep(60)"""
    launcher = forked(tmp_path / "said", lambda: started(lines(code), 1, 1))
    wait_for(lambda: all((tmp_path / f"ready{rank}").exists() for rank in (0, 1)))
    assert launcher.pid is not None
    os.kill(launcher.pid, signal.SIGUSR1)
    launcher.join()
    assert launcher.exitcode == Preempted.EXIT_STATUS, (tmp_path / "said").read_text()


def test_without_slurm_there_is_one_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID")
    with pytest.raises(UserError, match=r"machine.nodes is 2, but this is not a Slurm job"):
        started(lines(""), 1, 1)


def test_which_process_tells_what(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", STORE):
        monkeypatch.delenv(name, raising=False)
    assert this_node() is None and launched_by() is None and launched_here() == 1
    for name, value in {STORE: "host:1", "WSSS_NODES": "2", "SLURM_PROCID": "1"}.items():
        monkeypatch.setenv(name, value)
    assert launched_by() == 1 and launched_rank() is None
    for name, value in {"WORLD_SIZE": "8", "RANK": "5", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    assert launched_by() == 5 and launched_here() == 4
