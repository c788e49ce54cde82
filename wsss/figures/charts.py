"""Line charts as SVG: drawn here, so that they need no script and print; colored by the page's style.

Lines differ in dashes as well as in color. Each carries its values, which the page shows under the pointer.
Here is where things go; `templates/chart.html` is what they look like.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from wsss.figures.numbers import Number

#: of a chart, px; narrow enough for a phone, where it is shown as large as it is here
WIDTH, HEIGHT = 344, 216
LEFT, RIGHT, TOP, BOTTOM = 44, 332, 12, 182
TICKS = 5


@dataclass(frozen=True)
class Line:
    """A line of a chart; a NaN in y is a gap. source: of its values, with `*` for the row, see `numbers`."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    source: str = ""


@dataclass(frozen=True)
class Mark:
    """A point of a line. named: its numbers stand beside it."""

    x: Number
    y: Number
    named: bool = True


@dataclass(frozen=True)
class Chart:
    """Lines over one axis, from 0 up. axis: what is on the other."""

    title: str
    x: str
    axis: str
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()

    @cached_property
    def x_range(self) -> tuple[float, float]:
        """The least and the greatest x."""
        values = [value for line in self.lines for value in line.x]
        return min(values), max(values) if max(values) > min(values) else min(values) + 1

    @cached_property
    def x_ticks(self) -> list[float]:
        """Round numbers within the range."""
        low, high = self.x_range
        return [tick for tick in ticks(low, high) if low - 1e-9 <= tick <= high + 1e-9]

    @cached_property
    def y_ticks(self) -> list[float]:
        """Round numbers, the first and last of which are the axis's ends."""
        values = [value for line in self.lines for value in line.y if value == value]
        return ticks(min(0.0, *values), max(0.0, *values))

    def across(self, value: float) -> float:
        """Where an x is, px."""
        low, high = self.x_range
        return round(LEFT + (value - low) / (high - low) * (RIGHT - LEFT), 1)

    def up(self, value: float) -> float:
        """Where a y is, px from the top."""
        low, high = self.y_ticks[0], self.y_ticks[-1]
        return round(BOTTOM - (value - low) / (high - low) * (BOTTOM - TOP), 1)

    def path(self, line: Line) -> str:
        """A line as path data."""
        points = [(x, y) for x, y in zip(line.x, line.y, strict=True) if y == y]
        return "M" + "L".join(f"{self.across(x)} {self.up(y)}" for x, y in points)


def ticks(low: float, high: float, count: int = TICKS) -> list[float]:
    """Round numbers from at most `low` to at least `high`, about `count` of them, at least two."""
    span = high - low if high > low else abs(high) or 1.0
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil((low + span) / step - 1e-9)
    return [round(step * place, 12) for place in range(first, last + 1)]


def short(value: float) -> str:
    """A number at an axis."""
    if abs(value) >= 10000:
        return f"{value / 1000:g}k"
    return f"{value:.0e}".replace("e-0", "e-") if 0 < abs(value) < 0.001 else f"{value:g}"


def listed(values: Sequence[float]) -> str:
    """Values as the page's script reads them."""
    return " ".join(f"{value:.6g}" for value in values)
