"""A scheduler that does not answer for a while is asked again, and no job is forgotten meanwhile."""

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.tiny_run import make_run

from wsss.machine import patience
from wsss.machine.patience import Answer, installed, patient, retry_unanswered_queries, steady

REPOSITORY = Path(__file__).resolve().parent.parent


def test_it_is_asked_until_it_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patience, "ASK_EVERY", 0.01)
    answers: Iterator[Answer] = iter([(None, None), (None, None), ({"7": "RUNNING"}, 0.1), (None, None)])

    async def ask(command: str, _: logging.Logger) -> Answer:
        assert command == "squeue --name a"
        return next(answers)

    said = asyncio.run(patient(ask)("squeue --name a", logging.getLogger("plugin")))
    assert said == ({"7": "RUNNING"}, 0.1)
    assert caplog.messages == ["Slurm does not answer; asking again in 0 s: squeue --name a"] * 2


def test_no_jobs_are_an_answer() -> None:
    async def ask(_: str, __: logging.Logger) -> Answer:
        return {}, 0.1

    assert asyncio.run(patient(ask)("squeue", logging.getLogger("plugin"))) == ({}, 0.1)


@pytest.mark.parametrize(("says", "seconds"), [(300, 300), (2, 2), (0, 0), (None, float("inf"))])
def test_silence_is_no_short_memory(says: int | None, seconds: float) -> None:
    assert steady(lambda: says)() == seconds


def test_the_plugins_queries_are_replaced() -> None:
    """By names that its module really has."""
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm")
    assert asyncio.iscoroutinefunction(plugin.query_job_status) and callable(plugin.get_min_job_age)
    copy = SimpleNamespace(
        query_job_status=plugin.query_job_status,
        get_min_job_age=lambda: None,
        get_account=plugin.get_account,
        validate_account=plugin.validate_account,
    )
    retry_unanswered_queries(copy)  # type: ignore[arg-type]
    assert copy.query_job_status is not plugin.query_job_status and copy.get_min_job_age() == float("inf")


#: Snakemake, which then says whether the plugin's module is as it was
SNAKEMAKE = """
import sys
import snakemake_executor_plugin_slurm as plugin
from snakemake.cli import main
queries = plugin.query_job_status, plugin.get_min_job_age
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("PATCHED" if queries != (plugin.query_job_status, plugin.get_min_job_age) else "LEFT ALONE")
"""


@pytest.mark.parametrize(
    ("executor", "expected"),
    [(["--cores", "1"], "LEFT ALONE"), (["--executor", "slurm", "--jobs", "1"], "PATCHED")],
)
def test_only_the_slurm_executor_has_them_replaced(
    tmp_path: Path, executor: list[str], expected: str
) -> None:
    """The commands of a Slurm that takes no job stand in for one."""
    make_run(tmp_path)
    for name in ("sbatch", "sacct", "squeue", "scontrol", "sinfo", "sacctmgr"):
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text("#!/bin/sh\nexit 1\n")
        command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    target = "results/tiny/index/train.csv"
    call = [sys.executable, "-c", SNAKEMAKE, "--snakefile", str(REPOSITORY / "Snakefile"), *executor, target]
    ended = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.stdout.splitlines()[-1] == expected, ended.stdout + ended.stderr


def test_without_accounting_commands_no_account_is_used() -> None:
    def ask(*_: str) -> str:
        return subprocess.check_output(["no-such-sacct"], text=True)

    assert installed(ask)("lab", "logger") is None
    assert installed(lambda account: account)("lab") == "lab"
