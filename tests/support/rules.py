"""The rules of the workflow as text, by name."""

import re

from support.workflow import REPOSITORY


def rules() -> dict[str, str]:
    """Text of every rule that runs a command, by name."""
    found = {}
    for path in sorted((REPOSITORY / "rules").glob("*.smk")):
        for block in re.split(r"^rule ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            name, _, text = block.partition(":")
            found[name] = text
    return found


RULES = rules()
