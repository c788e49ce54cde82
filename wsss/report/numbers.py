"""Numbers that say where they come from: a page made of them can be held against the files, and a test does.

A source is `<run>/metrics/<file>#/<key>/<key>`, as a JSON pointer; of a CSV the first key is the value of its
first column and the second one a column's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

#: stands where there is no number
NOTHING = Markup('<span class="nothing">–</span>')


@dataclass(frozen=True)
class Number:
    """A number of a page. value: None, or NaN, where there is none. less: another that is taken off it."""

    value: float | None
    source: str
    digits: int = 1
    less: "Number | None" = None

    @property
    def shown(self) -> float | None:
        """What is shown, before it is rounded."""
        if self.value is None or self.value != self.value:
            return None
        if self.less is None:
            return self.value
        return None if self.less.shown is None else self.value - self.less.shown

    def minus(self, other: "Number") -> "Number":
        """The difference to another, shown with its sign."""
        return Number(self.value, self.source, self.digits, other)

    def __html__(self) -> str:
        if self.shown is None:
            return NOTHING
        sign = "+" if self.less else ""
        text = f"{self.shown:{sign}.{self.digits}f}".replace("-", "\N{MINUS SIGN}")
        less = Markup(' data-less="{}"').format(self.less.source) if self.less else ""
        title = f"{self.source} − {self.less.source}" if self.less else self.source
        return Markup('<data value="{}" data-from="{}"{} title="{}">{}</data>').format(
            repr(self.shown), self.source, less, title, text
        )


@dataclass(frozen=True)
class Source:
    """A file of numbers: its name on the page and what it holds, mappings and lists."""

    name: str
    values: Any

    def number(self, *keys: str | int, digits: int = 1) -> Number:
        """The number at a place in the file; without a value where the file has none there."""
        value = self.values
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else value[int(key)]
            if value is None:
                break
        place = "/".join(str(key) for key in keys)
        return Number(None if value in (None, "") else float(value), f"{self.name}#/{place}", digits)
