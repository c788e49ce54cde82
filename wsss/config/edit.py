"""Sets a key in a run's file where people wrote it, and leaves all else as it stands, comments too."""

import re
from typing import Any

import yaml

from wsss.errors import UserError


def with_key(text: str, section: str, key: str, value: str, *, comment: str, file: str) -> str:
    """The text of a run's file in which `section.key` is `value`, a text.

    section: at the top of the file; it is added where there is none. comment: stands behind the value. file:
    what the error calls the text. Raises UserError with the lines to write when the text is not of a form in
    which they can be put, such as `{given: {…}}`.
    """
    line = f'  {key}: "{value}"  # {comment}'
    head = re.search(rf"^{section}:[ \t]*(#.*)?$", text, re.MULTILINE)
    stands = re.compile(rf"^[ ]+{key}:.*$", re.MULTILINE)
    if not head:
        edited = f"{text.rstrip()}\n{section}:\n{line}\n"
    else:
        end = re.compile(r"^[^\s#]", re.MULTILINE).search(text, head.end())
        block = text[head.end() : end.start() if end else len(text)]
        block = stands.sub(lambda _: line, block) if stands.search(block) else f"\n{line}{block}"
        edited = text[: head.end()] + block + (text[end.start() :] if end else "")
    try:
        wanted: dict[str, Any] = yaml.safe_load(text) or {}
        wanted = {**wanted, section: {**(wanted.get(section) or {}), key: value}}
        same = yaml.safe_load(edited) == wanted
    except (yaml.YAMLError, TypeError):
        same = False
    if not same:
        raise UserError(f"{file}: cannot be edited; write into it:\n{section}:\n{line}")
    return edited
