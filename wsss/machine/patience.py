"""Retries unanswered scheduler queries, and does without the accounting's commands where there are none.

Snakemake's plugin for Slurm asks a few times within a second. It then forgets every running job and waits
forever: one restart of the controller would end a run of a week. It also fails to submit jobs where `sacct`
and `sacctmgr` are not installed, because it asks them for the user's accounts.
"""

import asyncio
from collections.abc import Awaitable, Callable
from logging import Logger
from types import ModuleType
from typing import Any

#: seconds between two queries, without an answer
ASK_EVERY = 30.0

#: what jobs are doing, by number, and the seconds that it took to hear it; both None for no answer
Answer = tuple[dict[str, str] | None, float | None]


def retry_unanswered_queries(plugin: ModuleType) -> None:
    """Replace the plugin's queries, which its executor looks up by name whenever it needs them."""
    plugin.query_job_status = patient(plugin.query_job_status)  # type: ignore[attr-defined]
    plugin.get_min_job_age = steady(plugin.get_min_job_age)  # type: ignore[attr-defined]
    plugin.get_account = installed(plugin.get_account)  # type: ignore[attr-defined]
    plugin.validate_account = installed(plugin.validate_account)  # type: ignore[attr-defined]


def patient(ask: Callable[[str, Any], Awaitable[Answer]]) -> Callable[[str, Logger], Awaitable[Answer]]:
    """The plugin's query, (command, logger) -> answer, repeated with a warning until there is one."""

    async def ask_again(command: str, logger: Logger) -> Answer:
        while (answer := await ask(command, logger))[0] is None:
            logger.warning(f"Slurm does not answer; asking again in {ASK_EVERY:.0f} s: {command}")
            await asyncio.sleep(ASK_EVERY)
        return answer

    return ask_again


def steady(min_job_age: Callable[[], int | None]) -> Callable[[], float]:
    """For how many seconds Slurm remembers an ended job; for ever, if it does not say.

    The plugin takes silence for a short memory, and turns to an accounting database that there need not be.
    """
    return lambda: float("inf") if (age := min_job_age()) is None else age


def installed(ask: Callable[..., str | None]) -> Callable[..., str | None]:
    """A question about accounts, answered with None where the command that it calls is not installed."""

    def ask_if_installed(*arguments: Any) -> str | None:
        try:
            return ask(*arguments)
        except FileNotFoundError:
            return None

    return ask_if_installed
