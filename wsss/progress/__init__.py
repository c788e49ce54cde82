"""How far a long task is: a bar on a terminal, a line now and then in a log.

Every step of the chain logs through the logger `wsss`; `log_to` adds the rule's log file to the terminal.
Rich is imported only where it draws on a terminal: it takes a tenth of a second.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TextIO, TypeVar

from wsss.progress.bar import Bar, claim_terminal, print_above

LOGGER = logging.getLogger("wsss")
#: seconds between two progress lines in a log, and between two states of a bar
LINE_EVERY, BAR_EVERY = 20.0, 0.2
#: in redirected output, the least and the most seconds between two progress lines, and the share of the time
#: so far that passes between them
PRINT_EVERY, PRINT_AT_LEAST_EVERY, PRINT_SHARE = 60.0, 600.0, 0.75

Item = TypeVar("Item")


def log_to(path: Path | None = None, *, rank: int | None = None) -> None:
    """Send the messages of `wsss` to the terminal and, if there is one, to a log file, which starts empty.

    rank: number of this process, if it is one of several that another process has started. They append to its
    log; the first logs everything, the others only warnings.
    """
    LOGGER.setLevel(logging.WARNING if rank else logging.INFO)
    LOGGER.propagate = False
    for handler in list(LOGGER.handlers):
        LOGGER.removeHandler(handler)
        handler.close()
    who = f"process {rank}: " if rank else ""
    terminal = TerminalHandler()
    terminal.setFormatter(logging.Formatter(f"{who}%(message)s"))
    LOGGER.addHandler(terminal)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if rank is None:
            path.write_bytes(b"")
        file = logging.FileHandler(path, mode="a", encoding="utf-8")
        file.setFormatter(logging.Formatter(f"%(asctime)s {who}%(message)s", "%H:%M:%S"))
        LOGGER.addHandler(file)


def log_end(message: str) -> None:
    """Log why a job ends early; in the file only if stderr is a terminal, where Snakemake says it for all."""
    logs = any(isinstance(handler, logging.FileHandler) for handler in LOGGER.handlers)
    LOGGER.info(message, extra={_LOG_FILE_ONLY: logs and sys.stderr.isatty()})


def print_styled(text: str, style: str, stream: TextIO) -> None:
    """Print a line, in a style of Rich ("red") where `stream` is a terminal that shows colors."""
    if not stream.isatty():
        print(text, file=stream)
        return
    from rich.console import Console
    from rich.text import Text

    Console(file=stream).print(Text(text, style), soft_wrap=True)


def duration(seconds: float) -> str:
    """Seconds in a form for people: `42s`, `3m05s`, `2h10m`, `1d04h`."""
    whole = max(0, round(seconds))
    units = [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)]
    for (unit, size), (next_unit, next_size) in pairwise(units):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // next_size:02d}{next_unit}"
    return f"{whole}s"


class Progress:
    """Counts units of work towards a total and shows speed and estimated time of arrival.

    total: units of the whole task. start: units that an earlier, interrupted process completed; they count
    towards the total and not towards the speed. unit: what is counted, for the speed's name.
    """

    def __init__(
        self, label: str, total: int, *, start: int = 0, unit: str = "images", enabled: bool = True
    ) -> None:
        self.label, self.total, self.unit, self.enabled = label, total, unit, enabled
        self.start = self.done = start
        self.began = self.logged = self.printed = self.drawn = time.monotonic()
        self.bar: Bar | None = Bar(label, total, start) if enabled and claim_terminal() else None

    def update(self, units: int = 1, note: Callable[[], str] = str) -> None:
        """Count `units` more; what `note` returns is shown behind the speed (losses, memory)."""
        self.done += units
        now, finished = time.monotonic(), self.done >= self.total
        if self.bar is not None and (now - self.drawn >= BAR_EVERY or finished):
            self.drawn = now
            self.bar.update(self.done, *self._pace(), note())
        if self.enabled and (now - self.logged >= LINE_EVERY or finished):
            self.logged = now
            elapsed = now - self.began
            gap = max(PRINT_EVERY, min(PRINT_AT_LEAST_EVERY, PRINT_SHARE * elapsed))
            due = elapsed >= PRINT_EVERY if finished else now - self.printed >= gap
            prints = self.bar is None and due
            self.printed = now if prints else self.printed
            LOGGER.info(self.line(note()), extra={_LOG_FILE_ONLY: not prints})

    def line(self, note: str = "") -> str:
        """The state as one line of a log."""
        share = 100 * self.done / max(1, self.total)
        parts = [f"{self.label}: {self.done}/{self.total} ({share:.0f} %)", *self._pace(), note]
        return ", ".join(part for part in parts if part)

    def close(self) -> None:
        """Free the line of the bar. A bar that was there for a while stays as it is."""
        if self.bar is not None:
            self.bar.close(keep=time.monotonic() - self.began >= LINE_EVERY)
            self.bar = None

    def _pace(self) -> tuple[str, str]:
        """Speed and estimated time of arrival."""
        elapsed = time.monotonic() - self.began
        speed = (self.done - self.start) / elapsed if elapsed > 0 else 0.0
        left = duration((self.total - self.done) / speed) if speed > 0 else "?"
        return f"{speed:.3g} {self.unit}/s", f"ETA {left}"


def track(
    items: Iterable[Item], *, label: str, total: int | None = None, unit: str = "images", enabled: bool = True
) -> Iterator[Item]:
    """Iterate and show progress. total: by default `len(items)`."""
    count = total if total is not None else len(items)  # type: ignore[arg-type]
    progress = Progress(label, count, unit=unit, enabled=enabled)
    try:
        for item in items:
            yield item
            progress.update()
    finally:
        progress.close()


#: marks a progress line that is not for the terminal: a bar shows it already, or there was one just now
_LOG_FILE_ONLY = "log_file_only"


class TerminalHandler(logging.Handler):
    """Writes to the terminal, above a bar if there is one: warnings in yellow, errors in red."""

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, _LOG_FILE_ONLY, False):
            return
        text = self.format(record)
        if not text:
            return
        if not sys.stderr.isatty():
            print(text, file=sys.stderr, flush=True)
            return
        error, warning = record.levelno >= logging.ERROR, record.levelno >= logging.WARNING
        print_above(text, "red" if error else "yellow" if warning else "")
