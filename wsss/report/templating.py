"""The templates of this package, and the words that they have for numbers and charts."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from wsss.figures import charts
from wsss.progress import duration
from wsss.report.seeds import interval_text


def fill(template: str, values: Mapping[str, Any]) -> str:
    """A template with these values. What is not marked as HTML is escaped; a missing name is an error."""
    environment = Environment(
        loader=PackageLoader("wsss.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": lambda number: duration(number.value or 0),
        "code": _with_code,
        "interval": interval_text,
        "short": charts.short,
        "listed": charts.listed,
    }
    environment.globals |= {name: value for name, value in vars(charts).items() if name.isupper()}
    return environment.get_template(template).render(values)


def _with_code(text: str) -> Markup:
    """What stands between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>" if place % 2 else "{}").format(part) for place, part in enumerate(parts)
    )
