"""A record of each job of a run, written beside its log when it starts and when it ends.

Snakemake's own records describe outputs and cannot be read by people. A job's configuration, state, machine,
device, command and package versions are in `results/<run>/jobs/<rule>[.<wildcards>].json`. No result depends
on it.
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
#: the state of a job by its exit status; any other status is a failure
STATES = {0: "done", Preempted.EXIT_STATUS: "preempted", 128 + signal.SIGINT: "interrupted"}
#: packages that a result may depend on
PACKAGES = ("torch", "torchvision", "timm", "numpy", "opencv-python-headless", "snakemake")


def versions() -> dict[str, str]:
    """Versions of this package, Python, and the packages that a result may depend on."""
    installed = {"wsss": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            installed[package] = "none"
    return installed


def cpu() -> str:
    """The machine's processor: `Xeon E5 @ 2.2 GHz, 2 cores`."""
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
        """Whether it still runs; of a process on another machine, only whether it was started."""
        if self.state != "running" or self.host != socket.gethostname():
            return self.state == "running"
        return Path("/proc", str(self.pid)).exists()


class Record:
    """Writes the record of this process's job. log: of the job; nothing is written for a log of no run."""

    def __init__(self, log: Path | None) -> None:
        of_a_run = log is not None and log.parent.name == "logs"
        self.path = log.parent.parent / DIRECTORY / f"{log.stem}.json" if of_a_run and log else None
        self.job: Job | None = None

    def begin(self, stage: str, digest: str, device: str) -> None:
        """Record that the job runs."""
        self._write(Job(stage, digest, device))

    def end(self, status: int) -> None:
        """Record that the job ends with this exit status."""
        if self.job is not None:
            self._write(replace(self.job, state=STATES.get(status, "failed"), ended=time.time()))

    def _write(self, job: Job) -> None:
        self.job = job
        if self.path is not None:
            write_json(self.path, asdict(job))


def read_jobs(directory: Path) -> dict[str, Job]:
    """The recorded jobs of a run's directory by name, `<rule>[.<wildcards>]`, in order of time.

    Records that this version cannot read, because another one wrote them, are left out.
    """
    jobs = {}
    for path in (directory / DIRECTORY).glob("*.json"):
        try:
            values: dict[str, Any] = read_json(path)
            job = Job(**values)
        except (UserError, TypeError):
            continue
        if job.state in (*STATES.values(), "running", "failed"):
            jobs[path.stem] = job
    return dict(sorted(jobs.items(), key=lambda item: item[1].began))
