"""One training on several nodes of a Slurm job: the same command once per node, which starts processes there.

The first node's command hosts the store through which nodes exchange their numbers of processes, and all of
these connect. Slurm's `srun` starts the commands and signals them.
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from wsss.errors import UserError

if TYPE_CHECKING:
    from torch.distributed import TCPStore

#: environment variables of a node's command: the number of nodes, and the address of their store
NODES, STORE = "WSSS_NODES", "WSSS_STORE"
#: environment variable of the node's number, set by Slurm
NUMBER = "SLURM_PROCID"
FAILED = "failed"


@dataclass(frozen=True)
class Node:
    """A node among those that share a training. number: from 0. store: its host and port."""

    number: int
    count: int
    store: str

    def environment(self, processes: int) -> dict[str, str]:
        """The environment by which processes connect to those of all nodes; RANK is the first one's.

        processes: on this node. Waits until all nodes have reported theirs.
        """
        self._shared.set(f"processes/{self.number}", str(processes))
        counts = [int(self._shared.get(f"processes/{number}")) for number in range(self.count)]
        host, _, port = self.store.rpartition(":")
        return {
            "RANK": str(sum(counts[: self.number])),
            "WORLD_SIZE": str(sum(counts)),
            "MASTER_ADDR": host,
            "MASTER_PORT": port,
            # The store exists: the process with rank 0 must not open one.
            "TORCHELASTIC_USE_AGENT_STORE": str(True),
        }

    def fail(self) -> None:
        """Report to the other nodes that a process has failed here."""
        self._shared.set(FAILED, str(self.number))

    def failed(self) -> bool:
        """Whether a process has failed on any node."""
        return self._shared.check([FAILED])

    @cached_property
    def _shared(self) -> "TCPStore":
        host, _, port = self.store.rpartition(":")
        return _store(host, int(port))


def this_node() -> Node | None:
    """The node of this command; None for a training on one node."""
    if STORE not in os.environ:
        return None
    return Node(int(os.environ[NUMBER]), int(os.environ[NODES]), os.environ[STORE])


class OnNodes:
    """The command and environment to start on the first of a job's nodes, to run a command on each of them.

    It hosts the nodes' store, and has to live until they have ended. Raises UserError outside a Slurm job.
    """

    def __init__(self, command: Sequence[str], count: int, threads: int) -> None:
        if "SLURM_JOB_ID" not in os.environ:
            raise UserError(
                f"machine.nodes is {count}, but this is not a Slurm job; several nodes need one: "
                "snakemake --profile slurm …, or set machine.nodes to 1"
            )
        self._store = _store(socket.gethostname(), 0, is_master=True)
        place = f"{socket.gethostname()}:{self._store.port}"
        self.environment = {**os.environ, NODES: str(count), STORE: place}
        once = [f"--nodes={count}", f"--ntasks={count}", "--ntasks-per-node=1", f"--cpus-per-task={threads}"]
        # --wait=0: otherwise srun kills the node that still saves the model.
        self.command = ["srun", *once, "--cpu-bind=none", "--wait=0", *command]


def _store(host: str, port: int, *, is_master: bool = False) -> "TCPStore":
    # Imported here: torch takes seconds to import, which other steps do not need.
    from torch.distributed import TCPStore

    return TCPStore(host, port, is_master=is_master, wait_for_workers=False)
