"""`kill -9` of Snakemake and of jobs of every rule of a whole chain, again and again: the same result."""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from test_chain import WHOLE, make
from test_workflow import command, snakemake, write_run

pytestmark = pytest.mark.slow

MIOU = "results/whole/val_miou.txt"
#: with saliency of all kinds, so that every rule of the chain has its turn
EVERY = {**WHOLE, "saliency": {**WHOLE["saliency"], "refine": "poolnet"}}


def jobs(directory: Path) -> dict[int, str]:
    """Processes that rules have started in a directory, by their rule."""
    found = {}
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
            inside = Path(os.readlink(process / "cwd")) == directory
        except (OSError, UnicodeDecodeError):
            continue
        rule = next((word for word in words if word.startswith("workflow.scripts.")), None)
        if inside and rule:
            found[int(process.name)] = rule.removeprefix("workflow.scripts.")
    return found


def kill(number: int) -> None:
    """Without a last word."""
    with suppress(ProcessLookupError):
        os.kill(number, signal.SIGKILL)


def started(directory: Path) -> subprocess.Popen[bytes]:
    """Snakemake at work there; after a kill -9 its lock has to be taken away."""
    assert snakemake(directory, "--unlock", MIOU)[0] == 0
    nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    call = command("--cores", "2", MIOU)
    return subprocess.Popen(call, cwd=directory, start_new_session=True, **nowhere)  # type: ignore[call-overload]


def ended(directory: Path) -> None:
    """Wait until no orphan works there any more."""
    while jobs(directory):
        time.sleep(0.1)


@pytest.fixture
def undisturbed(tmp_path: Path) -> bytes:
    """`val_miou.txt` of a chain that nobody disturbs; a directory `disturbed` stands ready."""
    for name in ("calm", "disturbed"):
        (tmp_path / name).mkdir()
        write_run(tmp_path / name, "whole", EVERY)
    make(tmp_path / "calm", MIOU)
    return (tmp_path / "calm" / MIOU).read_bytes()


def assert_whole(directory: Path, undisturbed: bytes) -> None:
    """The last start makes what nobody's disturbance would have changed, and leaves nothing half-written."""
    status, printed = snakemake(directory, "--unlock", MIOU)
    status, printed = snakemake(directory, "--cores", "2", MIOU)
    assert status == 0, printed
    assert (directory / MIOU).read_bytes() == undisturbed
    parts = [path for path in (directory / "results").rglob("*") if ".part" in path.name]
    assert [path for path in parts if "checkpoints" not in path.parts] == []


def test_a_job_of_every_rule_is_killed_once(tmp_path: Path, undisturbed: bytes) -> None:
    """Every second time Snakemake is killed as well, and in between its orphan ends by itself."""
    directory = tmp_path / "disturbed"
    killed: dict[str, str] = {}
    process = started(directory)
    while process.poll() is None or process.returncode != 0:
        if process.poll() is not None:
            process = started(directory)
        for number, rule in jobs(directory).items():
            if rule in killed:
                continue
            if len(killed) % 2:
                killed[rule] = "Snakemake, then the job"
                kill(process.pid)
            else:
                killed[rule] = "the job"
            kill(number)
            process.wait(120)
            ended(directory)
            break
        time.sleep(0.02)
    print("\n" + "\n".join(f"{rule}: killed {what}" for rule, what in killed.items()))
    rules = {path.name.partition(".")[0] for path in (directory / "results" / "whole" / "logs").iterdir()}
    assert set(killed) == rules and len(rules) > 15
    assert_whole(directory, undisturbed)


def test_snakemake_is_killed_ten_times(tmp_path: Path, undisturbed: bytes) -> None:
    """At random moments; its orphans live on and end by themselves."""
    directory, rng = tmp_path / "disturbed", random.Random(0)
    for number in range(10):
        process = started(directory)
        moment = 4 + 10 * rng.random()
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            at_work = sorted(set(jobs(directory).values()))
            kill(process.pid)
            print(f"kill {number + 1} after {moment:.1f} s: {', '.join(at_work) or 'nothing at work'}")
        process.wait()
        ended(directory)
    assert_whole(directory, undisturbed)
