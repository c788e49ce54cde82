"""Sets a key in a run's file and leaves all other lines as they are, comments included."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from wsss.errors import UserError


def with_key(text: str, section: str, key: str, value: str, *, comment: str, file: str) -> str:
    """The text of a run's file in which `section.key` is `value`, a text.

    section: at the top level of the file; it is added if it is missing. comment: is written behind the value.
    file: name of the file, for the error. Raises UserError with the lines to add where the file has a form
    that cannot be edited by lines, such as `{given: {…}}`.
    """
    line = f'{key}: "{value}"  # {comment}\n'
    try:
        data = YAML().load(text) or {}
        edited = _edited(text, data, section, key, line)
        wanted = {**data, section: {**(data.get(section) or {}), key: value}}
        same = YAML().load(edited) == wanted
    except (YAMLError, TypeError, AttributeError):
        same = False
    if not same:
        raise UserError(f"{file}: cannot be edited automatically; add to it:\n{section}:\n  {line.rstrip()}")
    return edited


def _edited(text: str, data: Any, section: str, key: str, line: str) -> str:
    """The text with the line in place of the key's, else first in the section, else in a new section."""
    text = f"{text.rstrip()}\n" if text.strip() else ""
    lines = text.splitlines(keepends=True)
    if section not in data:
        return f"{text}{section}:\n  {line}"
    block = data[section]
    known = key if block and key in block else next(iter(block or ()), None)
    row, indent = block.lc.key(known) if block else (data.lc.key(section)[0] + 1, 2)
    if known == key:
        del lines[row]
    elif block:
        row = data.lc.key(section)[0] + 1
    lines.insert(row, " " * indent + line)
    return "".join(lines)
