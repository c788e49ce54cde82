"""What every script of the workflow does before and after its own work.

A script is called with the run's name and its stage's section of the configuration, as Snakemake prints it.
Here both are read and held against each other, the log is opened, devices are claimed, and mistakes of the
user end with a message and exit status 1 instead of a traceback.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsss.config import MachineConfig
from wsss.data.index import Index
from wsss.errors import PeerLost, Preempted, UserError
from wsss.machine.determinism import use_deterministic_algorithms
from wsss.machine.launch import in_processes, launched_by, launched_here, launched_rank, on_nodes
from wsss.machine.nodes import this_node
from wsss.machine.shares import Shares
from wsss.progress import LOGGER, log_end, log_to
from wsss.runs.arguments import parser as parser
from wsss.runs.jobs import Record, cpu
from wsss.runs.run import Run, load_run
from wsss.runs.stages import STAGES
from wsss.store.files import disk_is_full, read_json, write_json
from wsss.store.retained import DIRECTORY, restore


@dataclass(frozen=True)
class Step:
    """A stage of a run that is being made.

    arguments: the script's own. section: the stage's part of the configuration, typed. digest: what its
    outputs have to carry.
    """

    arguments: argparse.Namespace
    stage: str
    run: Run
    section: Any

    @property
    def name(self) -> str:
        """What messages and curves call it."""
        return f"{self.run.name}/{self.stage}"

    @property
    def digest(self) -> str:
        """Stands for the stage's section and all before it."""
        return self.run.digest(self.stage)

    @property
    def machine(self) -> MachineConfig:
        """How the run uses this machine; changes no result. The command line's `threads` go first.

        Of several processes that share a training on a machine, each has its part of the threads.
        """
        machine = self.run.config.machine
        threads = (self.arguments.threads or machine.threads) // launched_here()
        return machine.model_copy(update={"threads": max(1, threads)})

    @property
    def shares(self) -> Shares:
        """How the processes of a training divide its batch."""
        return STAGES[self.stage].shares(self.run.config)

    @property
    def trained(self) -> list[Path]:
        """Of a training, what it is to write: the course of it, and the model."""
        given = vars(self.arguments)
        return [given[name] for name in ("metrics", "out") if name in given]

    @property
    def checkpoints(self) -> Path:
        """Where the stage's training keeps its rolling checkpoints."""
        return self.run.directory(self.stage) / "checkpoints" / self.stage

    @property
    def finished(self) -> Path:
        """Where the outputs of the stage's training are retained until Snakemake has recorded them."""
        return self.run.directory(self.stage) / DIRECTORY / f"{self.stage}-{self.digest}"

    @property
    def curves(self) -> Path:
        """Where TensorBoard and W&B keep the course of the stage's training, apart from that of others."""
        return self.run.directory(self.stage) / "curves" / f"{self.stage}-{self.digest}"

    @property
    def shard(self) -> tuple[int, int]:
        """(i, n) of the shard that the step writes, see `Index.shard`. Raises UserError if there is none."""
        number, shards = self.arguments.shard, self.run.config.cams.shards
        if not 0 <= number < shards:
            raise UserError(
                f"{self.arguments.out}: shard {number} does not exist; run {self.run.name} has "
                f"cams.shards = {shards}, numbered from 0"
            )
        return number, shards

    def read_index(self, path: Path) -> Index:
        """A split's index. Raises UserError when it belongs to another configuration."""
        index = Index.read(path)
        self.require("index", index.digest, path)
        return index

    def read_metrics(self, path: Path) -> dict[str, Any]:
        """What `write_metrics` wrote for this stage. Raises UserError if of another configuration."""
        metrics: dict[str, Any] = read_json(path)
        self.require(self.stage, metrics["digest"], path)
        return metrics

    def write_metrics(self, path: Path, metrics: Mapping[str, Any]) -> None:
        """Write scores as JSON, together with the run's name and the stage's digest."""
        write_json(path, {"run": self.run.name, "digest": self.digest, **metrics})

    def require(self, stage: str, digest: str, path: Path) -> None:
        """Refuse an input that was made from another configuration. Raises UserError naming the file."""
        asked = self.run.digest(stage)
        if digest != asked:
            raise UserError(
                f"{path}: made from another configuration (digest {digest}; run {self.run.name} asks for "
                f"{asked}). Make it again: snakemake --cores all --force {path}"
            )


def run_step(
    stage: str, work: Callable[[Step], None], arguments: argparse.Namespace, *, devices: int | str = 0
) -> None:
    """Do a script's work and leave the process with its exit status.

    devices: how many GPUs the work takes where there are some; "gpus" takes as many as the configuration's
    `machine.gpus`, each in a process of its own that shares the batch, on each of `machine.nodes`. Where
    there are none, it is as many processes as `machine.processes`.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # see workflow/scripts/__init__.py
        signal.signal(signal.SIGINT, signal.default_int_handler)
    log_to(arguments.log, rank=launched_by())
    record = Record(arguments.log if launched_by() is None else None)
    status = _status(stage, work, arguments, devices, record)
    record.end(status)
    # Not from within `_status`: what an error holds on to, data-loading processes say, must be gone by then.
    sys.exit(status)


def _status(
    stage: str,
    work: Callable[[Step], None],
    arguments: argparse.Namespace,
    devices: int | str,
    record: Record,
) -> int:
    try:
        run = load_run(arguments.run)
        if arguments.config != run.section(stage):
            raise UserError(
                f"{run.file} asks stage {stage} for {run.section(stage)}, "
                f"but this command for {arguments.config}. The file was changed since: start snakemake again."
            )
        step = Step(arguments, stage, run, STAGES[stage].parse(arguments.config))
        record.begin(stage, step.digest, cpu())
        if devices == "gpus" and launched_by() is None and restore(step.finished, step.trained):
            LOGGER.info("%s: restored from a finished training that Snakemake had not recorded", step.name)
            return 0
        if devices and launched_rank() is None:
            status = _with_devices(step, devices, record)
            if status is not None:
                return status
        if devices and step.machine.deterministic:
            use_deterministic_algorithms()
        work(step)
        return 0
    except UserError as error:
        LOGGER.error("error: %s", error)
        return UserError.EXIT_STATUS
    except (Preempted, PeerLost) as ended:
        log_end(str(ended))
        return ended.EXIT_STATUS
    except KeyboardInterrupt:
        log_end(f"{stage}: interrupted")
        return 128 + signal.SIGINT
    except Exception as error:
        if disk_is_full(error):
            full = "error: %s/%s: no space left on the disk (%s); make room, then start again"
            LOGGER.error(full, arguments.run, stage, error)
            return UserError.EXIT_STATUS
        told = f"; please report it with {arguments.log}" if arguments.log else ""
        LOGGER.exception("%s: this is a bug%s", stage, told)
        return 2


def _with_devices(step: Step, devices: int | str, record: Record) -> int | None:
    """Claim what the work takes; the status of all that share it, None where this process does it alone."""
    # Imported here: it takes torch, and so seconds, which steps without devices need not spend.
    from wsss.machine.devices import claim, gpu_names

    machine = step.machine
    kinds = " or ".join(sorted(set(gpu_names())))
    if devices != "gpus":
        if found := claim(int(devices), machine.device):
            record.begin(step.stage, step.digest, f"{found} × {kinds}")
        return None
    shares, node = step.shares, this_node()
    nodes = node.count if node else STAGES[step.stage].nodes(step.run.config)
    if nodes > 1 and node is None:
        record.begin(step.stage, step.digest, f"{nodes} nodes, {kinds or cpu()}")
        return on_nodes(sys.orig_argv, nodes, machine.threads)
    found = claim(shares.processes(machine.gpus, nodes=nodes), machine.device)
    if found:
        record.begin(step.stage, step.digest, f"{found} × {kinds}")
    wanted = machine.gpus if found else machine.processes
    sharing = shares.processes(found or machine.processes, nodes=nodes)
    planned, asked = nodes * shares.processes(wanted, nodes=nodes), machine.nodes * wanted
    if planned < asked and (node is None or node.number == 0):
        LOGGER.info("%s: %s", step.name, shares.fewer(planned, asked))
    return in_processes(sys.orig_argv, sharing) if sharing > 1 or node else None
