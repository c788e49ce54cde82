"""Validates the values of a run's file, and reports all faults at once."""

import difflib
import json
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wsss.config.document import Document, KeyPath, Wrong
from wsss.config.keys import keys
from wsss.config.run import RunConfig
from wsss.config.section import FAULTS
from wsss.config.shared import with_shared
from wsss.errors import UserError

#: types of the pydantic errors that say that a key is not there
MISSING = ("missing", "union_tag_not_found")


def validate(document: Document) -> RunConfig:
    """Make the typed configuration. Raises UserError that lists all that is wrong with the document."""
    wrong = list(document.wrong)
    values, shared = with_shared(RunConfig, document.values)
    document = replace(
        document,
        values=values,
        places=document.places | {path: document.place(key) for path, key in shared.items()},
    )
    config = None
    try:
        config = RunConfig.from_values(document.values)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            absent = document.orphan and details["type"] in MISSING
            if not absent and details["loc"] not in shared:  # a shared key is reported once, where it is
                wrong.extend(_explain(details, document))
    if config is None or wrong:
        count = f"{len(wrong)} faults" if len(wrong) > 1 else "1 fault"
        raise UserError("\n  ".join([f"{document.file}: {count}", *map(str, sorted(wrong))]))
    return config


def _explain(details: ErrorDetails, document: Document) -> list[Wrong]:
    """One pydantic error in words."""
    location = [str(part) for part in details["loc"] if not isinstance(part, int)]
    kind = ""
    if location[:1] == ["dataset"] and len(location) > 1:
        kind = location.pop(1)  # pydantic names the kind there, which is no key
    path = tuple(location)
    if details["type"] == FAULTS:
        return [_across(path, key, must, document) for key, must in details["ctx"]["faults"]]
    name, value = ".".join(path), _shown(details["input"])
    match details["type"]:
        case "extra_forbidden":
            text = f"{name}: unknown key{_meant(name, kind)}"
        case "missing":
            text = f"{name}: missing; {_must_be(name)}"
        case "union_tag_not_found":
            text = f"{name}.kind: missing; {_must_be(name + '.kind')}"
        case "union_tag_invalid":
            path = (*path, "kind")
            text = f"{name}.kind = {_shown(details['input'].get('kind'))}: {_must_be(name + '.kind')}"
        case _:
            text = f"{name} = {value}: {_must_be(name)}"
    return [Wrong(document.place(path), text)]


def _across(path: KeyPath, key: str, must: str, document: Document) -> Wrong:
    must = must.replace("{section}", "".join(f"{part}." for part in path))
    path = (*path, *key.split("."))
    name = ".".join(path)
    value: Any = document.values
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        default = next(known.default for known in keys() if known.name == name)
        return Wrong(document.place(path), f"{name} = {_shown(default)}, its default: must be {must}")
    return Wrong(document.place(path), f"{name} = {_shown(value)}: must be {must}")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _must_be(name: str) -> str:
    """What a key may be; for a section, its keys."""
    found = list(dict.fromkeys(key.allowed for key in keys() if key.name == name))
    return f"must be {' or '.join(found)}" if found else f"must be a section with {_list(_known(name))}"


def _meant(name: str, kind: str) -> str:
    """The known key that an unknown one may stand for, and all keys of its section."""
    section, _, word = name.rpartition(".")
    known = _known(section, kind)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if not near:
        top = name.split(".")[0] + "."
        deeper = (key.name for key in keys() if key.name.startswith(top) and key.name != name)
        near = [other for other in deeper if other.endswith(f".{word}")][:1]
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{hint} (known: {_list(known)})"


def _known(section: str, kind: str = "") -> list[str]:
    """Names of the keys and sections right under a section; of a data set's, those of its kind."""
    prefix = f"{section}." if section else ""
    names = [key.name for key in keys() if key.name.startswith(prefix) and kind in ("", key.kind)]
    return list(dict.fromkeys(name.removeprefix(prefix).split(".")[0] for name in names))


def _list(names: list[str]) -> str:
    return ", ".join(names)
