"""What became of each job of a run: a small record beside its log, from its start on.

Snakemake keeps no such thing where people can read it: its own records are of outputs, and go when it does.
`results/<run>/jobs/<rule>[.<wildcards>].json` says which configuration a job was of, whether it runs, is done
or failed, where, on what, with which command and versions. No result depends on it.
"""

import os
import platform
import shlex
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from wsss import __version__
from wsss.errors import Preempted, UserError
from wsss.store.files import read_json, write_json

DIRECTORY = "jobs"
#: what a job's exit status says of it; any other is a failure
STATES = {0: "done", Preempted.EXIT_STATUS: "left", 128 + signal.SIGINT: "interrupted"}
#: packages that a result may depend on
PACKAGES = ("torch", "torchvision", "timm", "numpy", "opencv-python-headless", "snakemake")


def versions() -> dict[str, str]:
    """Of this package, Python, and the packages that a result may depend on."""
    found = {"wsss": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "none"
    return found


def cpu() -> str:
    """What this machine computes with where there is no GPU: `Xeon E5 @ 2.2 GHz, 2 cores`."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = named[0] if named else platform.processor() or platform.machine()
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


@dataclass(frozen=True)
class Job:
    """A job. state: see `STATES`, or running. began, ended: UNIX time. digest: of its stage's settings."""

    stage: str
    digest: str
    device: str
    state: str = "running"
    began: float = field(default_factory=time.time)
    ended: float | None = None
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    command: str = field(default_factory=lambda: shlex.join(["python", *sys.orig_argv[1:]]))
    versions: dict[str, str] = field(default_factory=versions)

    @property
    def lives(self) -> bool:
        """Whether it still runs, as far as can be told: of another machine's process only that it began."""
        if self.state != "running" or self.host != socket.gethostname():
            return self.state == "running"
        return Path("/proc", str(self.pid)).exists()


class Record:
    """Writes what becomes of this process's job. log: of the job; nothing is written where it is no run's."""

    def __init__(self, log: Path | None) -> None:
        of_a_run = log is not None and log.parent.name == "logs"
        self.path = log.parent.parent / DIRECTORY / f"{log.stem}.json" if of_a_run and log else None
        self.job: Job | None = None

    def begin(self, stage: str, digest: str, device: str) -> None:
        """The job runs, there."""
        self._write(Job(stage, digest, device))

    def end(self, status: int) -> None:
        """The job ends with this exit status."""
        if self.job is not None:
            self._write(replace(self.job, state=STATES.get(status, "failed"), ended=time.time()))

    def _write(self, job: Job) -> None:
        self.job = job
        if self.path is not None:
            write_json(self.path, asdict(job))


def read_jobs(directory: Path) -> dict[str, Job]:
    """By name, `<rule>[.<wildcards>]`, the jobs of a run's directory that left a record, in order of time.

    A record of another form, as another version may have written it, is left out.
    """
    found = {}
    for path in (directory / DIRECTORY).glob("*.json"):
        try:
            values: dict[str, Any] = read_json(path)
            found[path.stem] = Job(**values)
        except (UserError, TypeError):
            continue
    return dict(sorted(found.items(), key=lambda item: item[1].began))
