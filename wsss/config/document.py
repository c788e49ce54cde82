"""A run's YAML file: its values, the line of every key, and keys that stand there twice."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from wsss.errors import UserError

KeyPath = tuple[str, ...]


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Wrong(NamedTuple):
    """Something wrong at a place."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


@dataclass
class Document:
    """The mapping that a YAML file holds, where each of its keys stands, and what is wrong with it so far."""

    file: str
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    wrong: list[Wrong] = field(default_factory=list)
    orphan: bool = False  # the run that it extends cannot be read: what is missing here may stand there

    def place(self, path: KeyPath) -> Place:
        """Where a key stands, or the section around it, or the file."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(self.file, 1))

    def on_top_of(self, parent: "Document") -> "Document":
        """This document's keys, and the parent's where this one does not set them."""
        merged = _merge(parent.values, self.values)
        return Document(self.file, merged, parent.places | self.places, self.wrong)


def read_document(path: Path) -> Document:
    """Read a YAML file. Raises UserError with file and line if it is no YAML, or no mapping."""
    document = Document(str(path))
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        if isinstance(root, yaml.MappingNode):
            document.values = _mapping(loader, root, (), document)
        elif root is not None:
            raise UserError(f"{path}: must be a mapping of keys to values")
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: no valid YAML: {error.problem}") from None
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as YAML: {error}") from None
    except RecursionError:
        raise UserError(f"{path}: an alias contains itself; write out what it stands for") from None
    return document


class _Loader(yaml.SafeLoader):
    """YAML 1.2's numbers (`1e-3` is one) and no dates, which no key has."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def _mapping(loader: _Loader, node: yaml.MappingNode, path: KeyPath, document: Document) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        place = Place(document.file, key_node.start_mark.line + 1)
        if key in values:
            first = document.places[*path, key].line
            name = ".".join((*path, key))
            document.wrong.append(Wrong(place, f"{name}: stands twice, first in line {first}"))
        document.places[*path, key] = place
        values[key] = _value(loader, value_node, (*path, key), document)
    return values


def _value(loader: _Loader, node: yaml.Node, path: KeyPath, document: Document) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, item, path, document) for item in node.value]
    return loader.construct_object(node)


def _merge(parent: Any, child: Any) -> Any:
    """Mappings are merged key by key, anything else is replaced; so is a data set of another kind."""
    if not (isinstance(parent, dict) and isinstance(child, dict)):
        return child
    if child.get("kind", parent.get("kind")) != parent.get("kind"):
        return child
    return parent | {key: _merge(parent.get(key), value) for key, value in child.items()}
