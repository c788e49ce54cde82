"""One bar on a terminal, however many tasks nest in a process and however many processes share it."""

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from rich.progress import TaskID

#: moves to the start of the line and clears it, for example of another process's bar
CLEAR_LINE = "\r\x1b[K"


class Bar:
    """The bar of one `Progress`. Of several in a process, the one that began last is shown.

    One line however many there are: what other processes print moves no other line.
    """

    def __init__(self, label: str, total: int, done: int) -> None:
        global _bars
        _bars = _bars or _new_bars()
        self.bars = _bars
        for task in self.bars.task_ids:
            self.bars.update(task, visible=False)
        self.task: TaskID = self.bars.add_task(label, total=total, completed=done, pace="", note="")
        self.bars.start()
        # Rich hides the cursor, and a process that is killed could not bring it back.
        self.bars.console.show_cursor(True)

    def update(self, done: int, speed: str, left: str, note: str) -> None:
        """Draw."""
        self.bars.update(self.task, completed=done, pace=f"{speed} {left}", note=note, refresh=True)

    def close(self, *, keep: bool) -> None:
        """Show the bar that began before, if there is one; else leave the line."""
        global _bars
        if len(self.bars.task_ids) > 1:
            self.bars.remove_task(self.task)
            self.bars.update(self.bars.task_ids[-1], visible=True)
            return
        self.bars.live.transient = not keep
        self.bars.stop()
        _bars = None


def print_above(text: str, style: str) -> None:
    """Print to the terminal that stderr is, above the bar if there is one. style: of Rich, or empty."""
    from rich.text import Text

    console = _bars.console if _bars else _console()
    console.file.write(CLEAR_LINE)
    console.print(Text(text, style), soft_wrap=True)


#: Rich's display, while there are bars
_bars: Any = None


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def _new_bars() -> Any:
    """A display of one line: label, bar, count, speed, time left; the note has the rest of the width."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.table import Column

    console = _console()
    note = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=min(40, max(12, console.width // 5))),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}", markup=False, style="cyan"),
        TextColumn("{task.fields[note]}", markup=False, style="dim", table_column=note),
        console=console,
        # A thread that draws would be in the middle of it when data-loading processes are forked.
        auto_refresh=False,
        expand=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


#: the lock on the terminal, held until this process ends
_held: list[FileLock] = []


def claim_terminal() -> bool:
    """Whether this process may draw a bar on stderr: it is a terminal, and no other process draws on it.

    Jobs that run side by side share one terminal. The first has it until it ends; the others print lines, as
    all do on a terminal that cannot move its cursor.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        return False
    if _held:
        return True
    try:
        name = os.ttyname(sys.stderr.fileno()).strip("/").replace("/", "-")
        lock = FileLock(
            Path(tempfile.gettempdir(), f"wsss-{os.getuid()}-{name}.lock"), fallback_to_soft=False
        )
        lock.acquire(blocking=False)
    except Timeout:
        return False
    except OSError:  # no name, so no other process draws on it; or no place for the lock: lines may mix
        return True
    _held.append(lock)
    return True
