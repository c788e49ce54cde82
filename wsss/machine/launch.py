"""One training in several processes: the same command once per device, as torchrun starts it.

torchrun itself does not pass on SIGUSR1 and turns every exit status into 1, so that a training that saved a
checkpoint and stopped could not be told from one that failed. Its environment is kept: RANK, WORLD_SIZE, …
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from types import FrameType

from wsss.errors import PeerLost, Preempted, UserError
from wsss.machine.nodes import Node, OnNodes, this_node
from wsss.machine.signals import STOP_SIGNALS
from wsss.progress import LOGGER

#: seconds after the failure of one process at which the others are killed
GRACE = 30.0


def launched_world() -> int:
    """How many processes share this training."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def launched_here() -> int:
    """How many of them are on this node."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def launched_rank() -> int | None:
    """The number of this process among those that share a training; None for a single process."""
    return int(os.environ["RANK"]) if launched_world() > 1 else None


def launched_by() -> int | None:
    """The number of this process among those started by another one, of a node or of a training."""
    node = this_node()
    return launched_rank() if node is None or launched_rank() is not None else node.number


def in_processes(command: Sequence[str], count: int) -> int:
    """Run `command` in `count` processes that connect to each other and to those of other nodes.

    Signals that stop a training are passed on. Returns 0 when all processes succeeded. When one failed the
    others are ended, and the exit status is that of the failure, 128 + n where it was killed by signal n.
    """
    node = this_node()
    shared = {"LOCAL_WORLD_SIZE": str(count), **(node.environment(count) if node else _alone(count))}
    first = int(shared["RANK"])
    own = [{"RANK": str(first + number), "LOCAL_RANK": str(number)} for number in range(count)]
    return _together(command, [{**os.environ, **shared, **environment} for environment in own], node)


def on_nodes(command: Sequence[str], count: int, threads: int) -> int:
    """Run `command` on each of a Slurm job's `count` nodes, with `threads` CPUs, and wait for all.

    There, `this_node` is set. Signals and exit status as `in_processes`; of several failures Slurm has the
    highest status. Raises UserError outside a Slurm job.
    """
    start = OnNodes(command, count, threads)
    return _together(start.command, [start.environment])


def _alone(count: int) -> dict[str, str]:
    """The environment of the first of the processes of a single node."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {"RANK": "0", "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


def _together(
    command: Sequence[str], environments: Sequence[dict[str, str]], node: Node | None = None
) -> int:
    children: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        for child in children:
            if child.poll() is None:
                child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in STOP_SIGNALS}
    for environment in environments:
        # In a process group of their own, or a terminal's Ctrl-C would reach them twice. They inherit open
        # files: the locks of the devices.
        children.append(subprocess.Popen(command, env=environment, process_group=0, close_fds=False))
    try:
        status = _wait(children, node)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if node is not None and status not in (0, Preempted.EXIT_STATUS):
        node.fail()
    return status


def _wait(children: list[subprocess.Popen[bytes]], node: Node | None) -> int:
    deadline = None
    while any(child.poll() is None for child in children):
        time.sleep(0.1)
        # A process that was stopped by a signal has not failed: another may still be writing.
        failed = any(child.poll() not in (None, 0, Preempted.EXIT_STATUS) for child in children)
        if deadline is None and (failed or (node is not None and node.failed())):
            deadline = time.monotonic() + GRACE
        if deadline is not None and time.monotonic() > deadline:
            return _kill(children)
    return _verdict([child.returncode for child in children])


def _kill(children: list[subprocess.Popen[bytes]]) -> int:
    ended = [child.returncode for child in children if child.returncode is not None]
    for child in children:
        if child.poll() is None:
            LOGGER.warning("process %d still runs after another one failed: killed", child.pid)
            child.kill()
            child.wait()
    return _verdict(ended)


def _verdict(statuses: list[int]) -> int:
    """The most informative status: a cause before its consequences."""
    order = {UserError.EXIT_STATUS: 0, Preempted.EXIT_STATUS: 2, PeerLost.EXIT_STATUS: 3}
    status = min(filter(None, statuses), key=lambda status: order.get(status, 1), default=0)
    return status if status >= 0 else 128 - status
