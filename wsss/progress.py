"""How far a long task is: a bar on a terminal, a line now and then in a log.

Every step of the chain logs through the logger `wsss`; `log_to` adds the rule's log file to the terminal.
"""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

LOGGER = logging.getLogger("wsss")
#: seconds between two progress lines in a log
LINE_EVERY = 20.0

Item = TypeVar("Item")


def log_to(path: Path | None = None) -> None:
    """Send the messages of `wsss` to the terminal and, when given, to a log file, which starts empty."""
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    for handler in list(LOGGER.handlers):
        LOGGER.removeHandler(handler)
        handler.close()
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(logging.Formatter("%(message)s"))
    LOGGER.addHandler(terminal)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = logging.FileHandler(path, mode="w", encoding="utf-8")
        file.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        LOGGER.addHandler(file)


def duration(seconds: float) -> str:
    """Seconds as people read them: `42s`, `3m05s`, `2h10m`, `1d04h`."""
    whole = max(0, round(seconds))
    for unit, size, next_unit, next_size in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
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
        self.began = self.told = time.monotonic()
        self.bar: tqdm | None = None
        if enabled and sys.stderr.isatty():
            self.bar = tqdm(total=total, initial=start, desc=label, unit=f" {unit}", dynamic_ncols=True)

    def update(self, units: int = 1, note: str = "") -> None:
        """Count `units` more; `note` is shown behind the speed (losses, memory)."""
        self.done += units
        if self.bar is not None:
            self.bar.set_postfix_str(note, refresh=False)
            self.bar.update(units)
        elif self.enabled and (time.monotonic() - self.told >= LINE_EVERY or self.done >= self.total):
            self.told = time.monotonic()
            LOGGER.info(self.line(note))

    def line(self, note: str = "") -> str:
        """The state as one line of a log."""
        elapsed = time.monotonic() - self.began
        speed = (self.done - self.start) / elapsed if elapsed > 0 else 0.0
        left = duration((self.total - self.done) / speed) if speed > 0 else "?"
        share = 100 * self.done / max(1, self.total)
        text = f"{self.label}: {self.done}/{self.total} ({share:.0f} %), {speed:.3g} {self.unit}/s, ETA {left}"
        return f"{text}, {note}" if note else text

    def close(self) -> None:
        """Leave the bar as it is and free the line."""
        if self.bar is not None:
            self.bar.close()
            LOGGER.info(self.line())


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
