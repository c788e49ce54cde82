"""A real Slurm for tests, on this machine, and the workflow on it with the profile that users get."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = REPOSITORY / "tests" / "slurm"
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo", "scancel", "scontrol")
#: where jobs run, of the two nodes of tests/slurm/slurm.conf.in; the partition `gpus` has both
NODE = "one"
#: in the profile, for tests' sake: jobs are looked at soon, and two shards are packed, as many as there are
SOONER: dict[str, Any] = {
    "slurm-init-seconds-before-status-checks": 2,
    "latency-wait": 5,
    "group-components": dict.fromkeys(("crf", "affinity-labels", "pseudo-labels"), 2),
}


def missing() -> str:
    """Why no Slurm can be started here; empty if one can."""
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent:
        return f"no Slurm here ({', '.join(absent)} missing): apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "only root can start a Slurm"
    if Path("/etc/slurm/slurm.conf").exists():
        return "this machine has a Slurm of its own (/etc/slurm/slurm.conf), which tests leave alone"
    return ""


class Slurm:
    """munged, slurmctld and slurmd with their files in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        subprocess.run([SCRIPTS / "start.sh", directory], check=True, timeout=120)

    def stop(self) -> None:
        """End them."""
        subprocess.run([SCRIPTS / "stop.sh", self.directory], check=True, timeout=120)

    def lose_node(self) -> None:
        """As if it had lost its power: no process of Slurm's or of a job says a last word."""
        os.kill(int((self.directory / "run" / f"slurmd-{NODE}.pid").read_text()), signal.SIGKILL)
        for process in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                at_work = b"SLURM_CLUSTER_NAME=wsss" in (process / "environ").read_bytes()
                if at_work or (process / "comm").read_text() == "slurmstepd\n":
                    os.kill(int(process.name), signal.SIGKILL)
        wait_until(
            lambda: "down" in said("sinfo", "-h", "-n", NODE, "-p", "cpu", "-o", "%T"),
            "the node is not missed",
        )

    def return_node(self) -> None:
        """The node is started again."""
        configuration = self.directory / "slurm.conf"
        subprocess.run(["slurmd", "-f", configuration, "-N", NODE], check=True)

    def lose_controller(self) -> None:
        """What knows of all jobs ends, and takes no more questions."""
        pid = int((self.directory / "run" / "slurmctld.pid").read_text())
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), "slurmctld does not end")

    def return_controller(self) -> None:
        """It is started again and remembers."""
        subprocess.run(["slurmctld", "-f", self.directory / "slurm.conf"], check=True)


class OnSlurm:
    """`snakemake --profile slurm` at work in a directory; what it prints goes to `output`."""

    def __init__(self, directory: Path, *targets: str, changes: dict[str, Any] | None = None) -> None:
        shutil.copytree(REPOSITORY / "profiles" / "slurm", directory / "slurm", dirs_exist_ok=True)
        path = directory / "slurm" / "config.yaml"
        profile = yaml.safe_load(path.read_text(encoding="utf-8")) | SOONER | (changes or {})
        path.write_text(yaml.safe_dump(profile, sort_keys=False), encoding="utf-8")
        self.output = directory / "output"
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
        alone = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [*command, "--profile", "slurm", *targets],
                cwd=directory,
                env=alone,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def printed(self) -> str:
        """What it has printed so far."""
        return self.output.read_text(encoding="utf-8")

    def submitted(self) -> list[str]:
        """Slurm's numbers of its jobs so far."""
        return re.findall(r"submitted with SLURM jobid (\d+)", self.printed())

    def ended(self, seconds: float = 600) -> int:
        """Wait for its end; its exit status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.printed()}\n{said('squeue')}") from None

    def kill(self) -> None:
        """End it and its jobs, whatever has become of them."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for number in self.submitted():
            subprocess.run(["scancel", number], capture_output=True)
        wait_until(lambda: not said("squeue", "-h"), "jobs do not end")


def said(*command: str) -> str:
    """What a command of Slurm prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def wait_until(happened: Callable[[], Any], otherwise: str, seconds: float = 240) -> None:
    """Look four times a second."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.25)
