"""How far a long task is: a bar on a terminal, a line now and then in a log.

Every step of the chain logs through the logger `wsss`; `log_to` adds the rule's log file to the terminal.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from wsss.terminal import CLEAR_LINE, claim_bar, coloured

LOGGER = logging.getLogger("wsss")
#: seconds between two progress lines in a log, and between two states of a bar
LINE_EVERY, BAR_EVERY = 20.0, 0.2

Item = TypeVar("Item")


def log_to(path: Path | None = None, *, rank: int | None = None) -> None:
    """Send the messages of `wsss` to the terminal and, when given, to a log file, which starts empty.

    rank: number of this process, if it is one of several that another has started. They add to its log; the
    first tells everything, the others warnings only.
    """
    LOGGER.setLevel(logging.WARNING if rank else logging.INFO)
    LOGGER.propagate = False
    for handler in list(LOGGER.handlers):
        LOGGER.removeHandler(handler)
        handler.close()
    who = f"process {rank}: " if rank else ""
    terminal = _Terminal()
    terminal.setFormatter(logging.Formatter(f"{who}%(message)s"))
    LOGGER.addHandler(terminal)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if rank is None:
            path.write_bytes(b"")
        file = logging.FileHandler(path, mode="a", encoding="utf-8")
        file.setFormatter(logging.Formatter(f"%(asctime)s {who}%(message)s", "%H:%M:%S"))
        LOGGER.addHandler(file)


def duration(seconds: float) -> str:
    """Seconds as people read them: `42s`, `3m05s`, `2h10m`, `1d04h`."""
    whole = max(0, round(seconds))
    units = [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)]
    for (unit, size), (next_unit, next_size) in pairwise(units):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // next_size:02d}{next_unit}"
    return f"{whole}s"


class Progress:
    """Counts units of work towards a total and tells speed and estimated time of arrival.

    total: units of the whole task. start: units already done by an earlier, interrupted process, which
    count towards the total and not towards the speed. unit: what is counted, for the speed's name.
    """

    def __init__(
        self, label: str, total: int, *, start: int = 0, unit: str = "images", enabled: bool = True
    ) -> None:
        self.label, self.total, self.unit, self.enabled = label, total, unit, enabled
        self.start = self.done = start
        self.began = self.told = self.drawn = time.monotonic()
        self.bar: tqdm | None = None
        if enabled and claim_bar(sys.stderr):
            shape = {"unit": f" {unit}", "dynamic_ncols": True, "mininterval": 0, "miniters": 1}
            self.bar = tqdm(total=total, initial=start, desc=label, **shape)

    def update(self, units: int = 1, note: Callable[[], str] = str) -> None:
        """Count `units` more; what `note` gives is shown behind the speed (losses, memory)."""
        self.done += units
        now, finished = time.monotonic(), self.done >= self.total
        if self.bar is not None and (now - self.drawn >= BAR_EVERY or finished):
            self.drawn = now
            self.bar.set_postfix_str(note(), refresh=False)
            self.bar.update(self.done - self.bar.n)
        if self.enabled and (now - self.told >= LINE_EVERY or finished):
            self.told = now
            LOGGER.info(self.line(note()), extra={_ON_BAR: self.bar is not None})

    def line(self, note: str = "") -> str:
        """The state as one line of a log."""
        elapsed = time.monotonic() - self.began
        speed = (self.done - self.start) / elapsed if elapsed > 0 else 0.0
        left = duration((self.total - self.done) / speed) if speed > 0 else "?"
        share = 100 * self.done / max(1, self.total)
        text = f"{self.label}: {self.done}/{self.total} ({share:.0f} %)"
        parts = [text, f"{speed:.3g} {self.unit}/s", f"ETA {left}", note]
        return ", ".join(part for part in parts if part)

    def close(self) -> None:
        """Leave the bar as it is and free the line."""
        if self.bar is not None:
            self.bar.close()


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


#: marks a progress line that the terminal shows as a bar already
_ON_BAR = "on_bar"


class _Terminal(logging.Handler):
    """Writes to the terminal, above a bar where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, _ON_BAR, False):
            return
        text = self.format(record)
        if record.levelno >= logging.WARNING:
            colour = "red" if record.levelno >= logging.ERROR else "yellow"
            text = coloured(text, colour, sys.stderr)
        tqdm.write(f"{CLEAR_LINE}{text}" if sys.stderr.isatty() else text, file=sys.stderr)
