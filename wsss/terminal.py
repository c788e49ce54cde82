"""Colours on a terminal, and nowhere else."""

import os
from typing import TextIO

COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "grey": 90}


def coloured(text: str, colour: str, stream: TextIO) -> str:
    """The text in a colour of `COLOURS`, where `stream` shows colours; else as it is.

    It does on a terminal, unless the user has set NO_COLOR (no-color.org) or the terminal is dumb.
    """
    shows = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if shows else text
