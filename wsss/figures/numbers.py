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
    """A number of a page. value: None, or NaN, where there is none.

    less: another that is taken off it. of: another that it is shown as a part of, in percent.
    """

    value: float | None
    source: str
    digits: int = 1
    less: "Number | None" = None
    of: "Number | None" = None

    @property
    def shown(self) -> float | None:
        """What is shown, before it is rounded."""
        if self.value is None or self.value != self.value:
            return None
        other = self.less or self.of
        if other is None:
            return self.value
        if other.shown is None or (self.of and not other.shown):
            return None
        return self.value - other.shown if self.less else 100 * self.value / other.shown

    def minus(self, other: "Number") -> "Number":
        """The difference to another, shown with its sign."""
        return Number(self.value, self.source, self.digits, other)

    def part_of(self, other: "Number", digits: int = 0) -> "Number":
        """How much of another this is, in percent."""
        return Number(self.value, self.source, digits, of=other)

    @property
    def text(self) -> str:
        """What is shown of it; empty where there is none."""
        if self.shown is None:
            return ""
        return f"{self.shown:{'+' if self.less else ''}.{self.digits}f}".replace("-", "\N{MINUS SIGN}")

    @property
    def origin(self) -> Markup:
        """Attributes that say where it is from: of the element that shows it, as text or by its size."""
        made = Markup('data-from="{}"').format(self.source)
        for name, other in (("less", self.less), ("of", self.of)):
            made += Markup(' data-{}="{}"').format(name, other.source) if other else ""
        return made

    def __html__(self) -> str:
        if self.shown is None:
            return NOTHING
        signs = ((" \N{MINUS SIGN} ", self.less), (" / ", self.of))
        title = self.source + "".join(f"{sign}{other.source}" for sign, other in signs if other)
        return Markup('<data value="{}" {} title="{}">{}</data>').format(
            repr(self.shown), self.origin, title, self.text
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
