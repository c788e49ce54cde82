"""Asking a scheduler again that does not answer.

Snakemake's plugin for SLURM asks a few times within a second. It then forgets every job that runs, and waits
for ever: a controller that is restarted once would end a run of a week.
"""

import asyncio
from collections.abc import Awaitable, Callable
from logging import Logger
from typing import Any

#: seconds between two questions, without an answer
ASK_EVERY = 30.0

#: what jobs are doing, by number, and the seconds that it took to hear it; both None for no answer
Answer = tuple[dict[str, str] | None, float | None]


def patient(ask: Callable[[str, Any], Awaitable[Answer]]) -> Callable[[str, Logger], Awaitable[Answer]]:
    """The plugin's question, (command, logger) -> answer, repeated until there is one, and saying so."""

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
