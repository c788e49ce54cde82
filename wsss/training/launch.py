"""One training in several processes: the same command once per device, as torchrun starts it.

torchrun itself does not pass SIGUSR1 on and turns every exit status into 1, so that a training which saved
and left could not be told from one that failed. The environment it would give is kept: RANK, WORLD_SIZE, …
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

from wsss.training.signals import ASKED

#: seconds that the others get to end after one process has failed
GRACE = 30.0


def is_launched() -> bool:
    """Whether this process is one of several that share a training."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def in_processes(command: Sequence[str], count: int) -> int:
    """Run `command` in `count` processes that find each other, and wait for all.

    Signals that ask a training to leave are passed on. Returns 0 when all ended well, otherwise the exit
    status of the first that did not; the others are then ended, too.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {**os.environ, "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    children = [
        subprocess.Popen(command, env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(count)
    ]

    def pass_on(number: int, _: FrameType | None) -> None:
        for child in children:
            if child.poll() is None:
                child.send_signal(number)

    for number in ASKED:
        signal.signal(number, pass_on)
    status = 0
    while any(child.poll() is None for child in children):
        time.sleep(0.1)
        status = status or _first_failure(children)
        if status:
            _end(children)
    return status or _first_failure(children)


def _first_failure(children: list[subprocess.Popen[bytes]]) -> int:
    return next((child.returncode for child in children if child.returncode), 0)


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + GRACE
    while any(child.poll() is None for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    for child in children:
        if child.poll() is None:
            print(f"process {child.pid} does not end; killing it", file=sys.stderr)
            child.kill()
