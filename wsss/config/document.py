"""A run's YAML file: its values, the line of every key, and duplicate keys."""

from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

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
    """The mapping in a YAML file, the place of each of its keys, and what is wrong with it so far."""

    file: str
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    wrong: list[Wrong] = field(default_factory=list)
    orphan: bool = False  # the run that it extends cannot be read; it may set what is missing here

    def place(self, path: KeyPath) -> Place:
        """The place of a key, else of the section that contains it, else of the file."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(self.file, 1))

    def on_top_of(self, parent: "Document") -> "Document":
        """This document's keys, and the parent's where this one does not set them."""
        merged = _merge(parent.values, self.values)
        return Document(self.file, merged, parent.places | self.places, self.wrong)


def read_document(path: Path) -> Document:
    """Read a YAML 1.2 file. Raises UserError with file and line if it is not YAML, or not a mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as YAML: {error}") from None
    return parse_document(text, str(path))


def parse_document(text: str, file: str) -> Document:
    """Read the text of a YAML 1.2 file. file: its name in messages. For errors see `read_document`."""
    document, yaml = Document(file), YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
        if isinstance(root, MappingNode):
            document.values = _mapping(yaml, root, (), document)
        elif root is not None:
            raise UserError(f"{file}: must be a mapping of keys to values")
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{file}:{line}: not valid YAML: {error.problem}") from None
    except (YAMLError, ValueError) as error:
        raise UserError(f"{file}: cannot be read as YAML: {error}") from None
    except RecursionError:
        raise UserError(f"{file}: an alias contains itself; write out what it stands for") from None
    return document


def document_text(values: dict[str, Any]) -> str:
    """YAML of these values, from which `parse_document` reads the same: a text such as `1e3` is quoted."""
    yaml, text = YAML(typ="safe", pure=True), StringIO()
    yaml.default_flow_style = None
    yaml.width, yaml.allow_unicode = 110, True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.representer.ignore_aliases = lambda _: True
    yaml.dump(values, text)
    return text.getvalue()


# From nodes: ruamel's loaded values have lost duplicate keys, and aliases that contain themselves.
def _mapping(yaml: YAML, node: MappingNode, path: KeyPath, document: Document) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        place = Place(document.file, key_node.start_mark.line + 1)
        if key in values:
            first = document.places[*path, key].line
            name = ".".join((*path, key))
            document.wrong.append(Wrong(place, f"{name}: duplicate key, first in line {first}"))
        document.places[*path, key] = place
        values[key] = _value(yaml, value_node, (*path, key), document)
    return values


def _value(yaml: YAML, node: Node, path: KeyPath, document: Document) -> Any:
    if isinstance(node, MappingNode):
        return _mapping(yaml, node, path, document)
    if isinstance(node, SequenceNode):
        return [_value(yaml, item, path, document) for item in node.value]
    # No key is a date.
    return (
        node.value if node.tag == "tag:yaml.org,2002:timestamp" else yaml.constructor.construct_object(node)
    )


def _merge(parent: Any, child: Any) -> Any:
    """Mappings are merged key by key; other values, and a data set of another kind, are replaced."""
    if not (isinstance(parent, dict) and isinstance(child, dict)):
        return child
    if child.get("kind", parent.get("kind")) != parent.get("kind"):
        return child
    return parent | {key: _merge(parent.get(key), value) for key, value in child.items()}
