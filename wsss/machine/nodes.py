"""One training on several nodes of a Slurm job: the same command once per node, which starts processes there.

The first node's command waits for the others and keeps the store in which nodes tell each other how many
processes they have, and where all these processes meet. Slurm's `srun` starts the commands and signals them.
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

#: the environment of a command that is one of several: how many there are, and where their store is
NODES, STORE = "WSSS_NODES", "WSSS_STORE"
#: of a process of a node, as Slurm numbers them
NUMBER = "SLURM_PROCID"
FAILED = "failed"


@dataclass(frozen=True)
class Node:
    """A node among those that share a training. number: from 0. store: host and port of what they share."""

    number: int
    count: int
    store: str

    def environment(self, processes: int) -> dict[str, str]:
        """What a process has to know to find those of all nodes; the first one here has the number RANK.

        processes: how many there are on this node. Waits until all nodes have told.
        """
        self._shared.set(f"processes/{self.number}", str(processes))
        told = [int(self._shared.get(f"processes/{number}")) for number in range(self.count)]
        host, _, port = self.store.rpartition(":")
        return {
            "RANK": str(sum(told[: self.number])),
            "WORLD_SIZE": str(sum(told)),
            "MASTER_ADDR": host,
            "MASTER_PORT": port,
            # The store is there already: the process with rank 0 must not open one.
            "TORCHELASTIC_USE_AGENT_STORE": str(True),
        }

    def fail(self) -> None:
        """Let the other nodes know that a process has failed here."""
        self._shared.set(FAILED, str(self.number))

    def failed(self) -> bool:
        """Whether a process has failed on any node."""
        return self._shared.check([FAILED])

    @cached_property
    def _shared(self) -> "TCPStore":
        host, _, port = self.store.rpartition(":")
        return _store(host, int(port))


def this_node() -> Node | None:
    """The node that this command was started for; None where a training is on one node only."""
    if STORE not in os.environ:
        return None
    return Node(int(os.environ[NUMBER]), int(os.environ[NODES]), os.environ[STORE])


class OnNodes:
    """What has to be started, on the first of a job's nodes, for a command to run on each of them.

    It keeps the nodes' store; hold on to it until they have ended. Raises UserError when this is no job of
    Slurm.
    """

    def __init__(self, command: Sequence[str], count: int, threads: int) -> None:
        if "SLURM_JOB_ID" not in os.environ:
            raise UserError(
                f"machine.nodes is {count}, but this is no job of Slurm, which alone has several nodes: "
                "snakemake --profile slurm …, or set machine.nodes to 1"
            )
        self._store = _store(socket.gethostname(), 0, is_master=True)
        place = f"{socket.gethostname()}:{self._store.port}"
        self.environment = {**os.environ, NODES: str(count), STORE: place}
        once = [f"--nodes={count}", f"--ntasks={count}", "--ntasks-per-node=1", f"--cpus-per-task={threads}"]
        # --wait=0: a node that has ended does not hurry the one that saves the model.
        self.command = ["srun", *once, "--cpu-bind=none", "--wait=0", *command]


def _store(host: str, port: int, *, is_master: bool = False) -> "TCPStore":
    # Imported here: torch takes seconds, which steps that no other process shares need not spend.
    from torch.distributed import TCPStore

    return TCPStore(host, port, is_master=is_master, wait_for_workers=False)
