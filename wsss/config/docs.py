"""Writes what is generated from the typed models: `python -m wsss.config.docs`, in the repository's root.

- config/schema.json: JSON schema of a run's file, for editors
- config/README.md: the table of keys, between the markers
- tests/defaults.json: every default that was ever shipped; keys are added, none is changed
"""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

from wsss.config.keys import REQUIRED, Key, file_schema, keys
from wsss.store.files import read_json, write_json, write_text

BEGIN = "<!-- keys: written by python -m wsss.config.docs -->"
END = "<!-- end of keys -->"


def table() -> str:
    """All keys in Markdown, one table per section."""
    parts = []
    for section, members in groupby(keys(), key=lambda key: key.name.split(".")[0]):
        rows = ["| key | default | allowed | meaning |", "|---|---|---|---|", *map(_row, members)]
        parts.append(f"### {section}\n\n" + "\n".join(rows))
    return "\n\n".join(parts)


def with_table(text: str) -> str:
    """The README's text with the table of keys between its markers."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.split(END)[1]}"


def defaults() -> dict[str, Any]:
    """The default of every key that a result depends on, as JSON type."""
    return {_name(key): key.default for key in keys() if _lasts(key)}


def main() -> None:
    """Write the three files."""
    write_json("config/schema.json", file_schema())
    readme, shipped = Path("config/README.md"), Path("tests/defaults.json")
    write_text(readme, with_table(readme.read_text(encoding="utf-8")))
    write_json(shipped, defaults() | (read_json(shipped) if shipped.exists() else {}))


def _lasts(key: Key) -> bool:
    return key.default is not REQUIRED and not key.name.startswith("machine.")


def _name(key: Key) -> str:
    return f"{key.name} ({key.kind})" if key.kind else key.name


def _row(key: Key) -> str:
    default = "" if key.default is REQUIRED else f"`{json.dumps(key.default)}`"
    kind = f" ({key.kind})" if key.kind else ""
    cells = (f"`{key.name}`{kind}", default, key.allowed, key.description)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    main()
