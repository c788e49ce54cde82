"""What a terminal is for: colours, and one bar at a time however many processes write to it."""

import fcntl
import os
from typing import TextIO

COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "grey": 90}


def coloured(text: str, colour: str, stream: TextIO) -> str:
    """The text in a colour of `COLOURS`, where `stream` shows colours; else as it is.

    It does on a terminal, unless the user has set NO_COLOR (no-color.org) or the terminal is dumb.
    """
    shows = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if shows else text


#: goes to the start of the line and clears it, of another process's bar, say
CLEAR_LINE = "\r\x1b[K"
_held: list[int] = []


def claim_bar(stream: TextIO) -> bool:
    """Whether this process may draw a bar on `stream`: it is a terminal, and no other process draws on it.

    Jobs that run side by side share one terminal. The first has it until it ends; the others write lines.
    """
    if not stream.isatty():
        return False
    if _held:
        return True
    try:
        terminal = os.open(os.ttyname(stream.fileno()), os.O_RDONLY | os.O_NOCTTY)
    except OSError:  # one that has no name, and so no other process that draws on it
        return True
    try:
        fcntl.flock(terminal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(terminal)
        return False
    except OSError:
        os.close(terminal)
        return True
    # Data-loading processes outlive a killed training by seconds.
    os.register_at_fork(after_in_child=lambda: os.close(terminal))
    _held.append(terminal)
    return True
