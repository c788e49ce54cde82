"""All keys of a run's configuration, read off the typed models: for messages, the schema and the table."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from wsss.config.run import RunConfig

REQUIRED = object()


class Key(NamedTuple):
    """One key of the configuration."""

    name: str  # dotted, from the top of the file
    default: Any  # as JSON type; REQUIRED where there is none
    allowed: str
    description: str
    kind: str = ""  # the kind of data set that has the key; empty: all


@cache
def keys() -> tuple[Key, ...]:
    """Every key that is no section, or may be null instead of one, in the order of the models."""
    schema = RunConfig.model_json_schema()
    return tuple(_keys(schema, schema["$defs"], ""))


def file_schema() -> dict[str, Any]:
    """JSON schema of a run's file, for editors. Nothing is required: the run it extends may say it."""
    schema = RunConfig.model_json_schema()
    for model in [schema, *schema["$defs"].values()]:
        model.pop("required", None)
    dataset = schema["properties"]["dataset"]
    schema["properties"]["dataset"] = {"anyOf": dataset["oneOf"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _keys(model: dict[str, Any], models: dict[str, Any], prefix: str, kind: str = "") -> Iterator[Key]:
    # Required keys first, also where a section derives from another.
    for name, field in sorted(
        model["properties"].items(), key=lambda item: bool(prefix) and "default" in item[1]
    ):
        nested = _nested(field)
        if not nested or field.get("default", REQUIRED) is None:
            default = field.get("default", REQUIRED)
            yield Key(prefix + name, default, _allowed(field), field["description"], kind)
        for variant in nested:
            inner = models[variant]
            tag = inner["properties"]["kind"]["const"] if len(nested) > 1 else kind
            yield from _keys(inner, models, f"{prefix}{name}.", tag)


def _nested(field: dict[str, Any]) -> list[str]:
    """Names of the models that a field may hold."""
    options = [field, *field.get("anyOf", []), *field.get("oneOf", [])]
    return [option["$ref"].rsplit("/", 1)[1] for option in options if "$ref" in option]


def _allowed(field: dict[str, Any]) -> str:
    """What a value may be, in words."""
    if "anyOf" in field:
        return " or ".join(_allowed(option) for option in field["anyOf"])
    if "$ref" in field:
        return "a section"
    if "const" in field:
        return json.dumps(field["const"]).strip('"')
    if "enum" in field:
        return " | ".join(str(value) for value in field["enum"])
    match field["type"]:
        case "array":
            least = ", at least one" if field.get("minItems") else ""
            return f"list of ({_allowed(field['items'])}){least}"
        case "object":
            return f"mapping of names to ({_allowed(field['additionalProperties'])})"
        case "boolean":
            return "true | false"
        case "string" if "pattern" in field:
            return f"text like {field['pattern']}"
        case "string":
            return "path" if field.get("format") == "path" else "text"
        case kind:
            return f"{kind} {' and '.join(_bounds(field))}".strip()


def _bounds(field: dict[str, Any]) -> Iterator[str]:
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    for word, sign in signs.items():
        if word in field:
            yield f"{sign} {field[word]:.12g}"
