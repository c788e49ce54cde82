"""A scheduler that does not answer for a while is asked again, and no job is forgotten meanwhile."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from wsss.machine import patience
from wsss.machine.patience import Answer, patient, steady


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


def test_the_plugin_has_what_is_replaced() -> None:
    """Names in the plugin's module, which the workflow's rules put others in place of."""
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm")
    assert asyncio.iscoroutinefunction(plugin.query_job_status) and callable(plugin.get_min_job_age)
