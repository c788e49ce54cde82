"""`kill -9` of Snakemake and of jobs of every rule of a whole chain, again and again: the same result."""

import os
import random
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from support.fault_table import Contents, Fault, contents
from support.odd_data import said_by
from support.workflow import WHOLE, command, make, snakemake, write_run

pytestmark = pytest.mark.slow

SCRIPTS = "workflow.scripts."
MIOU = "results/whole/val_miou.txt"
#: with saliency of all kinds, so that every rule of the chain has its turn
EVERY = {**WHOLE, "saliency": {**WHOLE["saliency"], "refine": "poolnet"}}


def jobs(directory: Path) -> dict[int, list[str]]:
    """Processes that rules have started in a directory: their rule, and the words after it."""
    found = {}
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
            inside = Path(os.readlink(process / "cwd")) == directory
        except (OSError, UnicodeDecodeError):
            continue
        place = next((i for i, word in enumerate(words) if word.startswith(SCRIPTS)), None)
        if inside and place is not None:
            found[int(process.name)] = [words[place].removeprefix(SCRIPTS), *words[place + 1 :]]
    return found


def at_work(directory: Path, number: int, words: list[str], since: float) -> bool:
    """Wait until a job has imported what it needs and begins its log; False if it has ended before.

    since: when the Snakemake was started that has started it.
    """
    log = directory / words[words.index("--log") + 1]
    while not (log.is_file() and log.stat().st_mtime >= since):
        if number not in jobs(directory):
            return False
        time.sleep(0.005)
    return True


def kill(number: int) -> None:
    """Without a last word."""
    with suppress(ProcessLookupError):
        os.kill(number, signal.SIGKILL)


def started(directory: Path, cores: int, *arguments: str) -> subprocess.Popen[bytes]:
    """Snakemake at work there; after a kill -9 its lock has to be taken away. What it says is in `said`."""
    if any((directory / ".snakemake").glob("locks/*")):
        assert snakemake(directory, "--unlock", MIOU)[0] == 0
    call = command("--cores", f"{cores}", MIOU, *arguments)
    with open(directory.with_name("said"), "wb") as said:
        return subprocess.Popen(call, cwd=directory, start_new_session=True, stdout=said, stderr=said)


def ended(directory: Path) -> None:
    """Wait until no orphan works there any more."""
    while jobs(directory):
        time.sleep(0.1)


@pytest.fixture
def undisturbed(tmp_path: Path) -> Contents:
    """What is made by a chain that nobody disturbs; a directory `disturbed` stands ready."""
    for name in ("calm", "disturbed"):
        (tmp_path / name).mkdir()
        write_run(tmp_path / name, "whole", EVERY)
    make(tmp_path / "calm", MIOU)
    return contents(tmp_path / "calm", MIOU)


def made_in_the_end(directory: Path) -> Contents:
    """What the last start makes. It leaves nothing half-written, however many were killed before."""
    snakemake(directory, "--unlock", MIOU)
    status, printed = snakemake(directory, "--cores", "2", MIOU)
    assert status == 0, printed
    parts = [path for path in (directory / "results").rglob("*") if ".part" in path.name]
    assert [path for path in parts if "checkpoints" not in path.parts] == []
    return contents(directory, MIOU)


def test_a_job_of_every_rule_is_killed_once(tmp_path: Path, undisturbed: Contents, fault: Fault) -> None:
    """Every second time Snakemake is killed before its job. One job at a time: no other ends meanwhile."""
    directory, seen = tmp_path / "disturbed", []
    missed = set(re.findall(rf"{re.escape(SCRIPTS)}(\w+)", (tmp_path / "calm" / "commands").read_text()))
    assert len(missed) > 15
    process, rows, since = started(directory, 1), 0, time.time()
    while missed or process.poll() is None:
        if process.poll() is not None:
            # A job that was over before it could be killed is done again.
            again = ["--forcerun", *missed] if process.returncode == 0 else []
            assert again or len(seen) > rows, (tmp_path / "said").read_text()
            process, rows, since = started(directory, 1, *again), len(seen), time.time()
        for number, words in jobs(directory).items():
            rule = words[0]
            if rule not in missed or not at_work(directory, number, words, since):
                continue
            missed.remove(rule)
            before, done = contents(directory), f"kill -9 of a job of `{rule}`"
            if len(missed) % 2:
                done = f"kill -9 of Snakemake and then of its job of `{rule}`"
                kill(process.pid)
            kill(number)
            status = process.wait(600)
            ended(directory)
            said = said_by((tmp_path / "said").read_text())
            seen.append((done, status, said, before, contents(directory)))
            break
        time.sleep(0.02)
    made = made_in_the_end(directory)
    for row in seen:
        fault(*row, made, undisturbed)


def test_snakemake_is_killed_ten_times(tmp_path: Path, undisturbed: Contents, fault: Fault) -> None:
    """At random moments; its orphans live on and end by themselves."""
    directory, rng, seen = tmp_path / "disturbed", random.Random(0), []
    for _ in range(10):
        process = started(directory, 2)
        try:
            process.wait(4 + 10 * rng.random())
            break
        except subprocess.TimeoutExpired:
            at = sorted({words[0] for words in jobs(directory).values()})
            before = contents(directory)
            kill(process.pid)
        status = process.wait()
        ended(directory)
        done = f"kill -9 of Snakemake, at work: {', '.join(at) or 'nothing'}"
        seen.append((done, status, said_by((tmp_path / "said").read_text()), before, contents(directory)))
    made = made_in_the_end(directory)
    for row in seen:
        fault(*row, made, undisturbed)
