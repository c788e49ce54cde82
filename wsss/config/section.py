"""What all sections of a run's configuration have in common.

A section is a frozen pydantic model. It refuses unknown keys. Checks that need several keys are reported like
those of a single key, all together. A key is declared in one way, `name: Annotated[type, Field(bounds and
description)] = default`; where a section changes the default of a key that it inherits, the key's annotation
has a name of its own, so that bounds and description are written once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

#: type of the pydantic error that carries the faults of `Section.faults`
FAULTS = "faults"


class Fault(NamedTuple):
    """A key whose value does not go with others: dotted name within the section, and what it must be.

    `{section}` in `must` stands for the name of the section, with a dot behind it.
    """

    key: str
    must: str


@dataclass(frozen=True)
class ReadWhen:
    """Annotates a key that is read only while another key of its section has one of these values.

    While it has another value, the annotated key changes no digest: nothing is trained again for it.
    """

    key: str
    values: tuple[str, ...]


class Section(BaseModel):
    """Base of all sections: immutable, no unknown keys, no infinities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def faults(self) -> Iterable[Fault]:
        """What is wrong between keys that are each valid alone."""
        return ()

    def unread(self) -> frozenset[str]:
        """Keys that no stage reads, given the values of the others. They must not re-train anything.

        Dotted where they are of a section within this one. By default those whose `ReadWhen` does not hold.
        """
        conditions = self.conditions().items()
        return frozenset(name for name, when in conditions if getattr(self, when.key) not in when.values)

    @classmethod
    def conditions(cls) -> dict[str, ReadWhen]:
        """The keys that are annotated with `ReadWhen`."""
        marks = ((name, mark) for name, field in cls.model_fields.items() for mark in field.metadata)
        return {name: mark for name, mark in marks if isinstance(mark, ReadWhen)}

    def differences(self) -> dict[str, Any]:
        """The keys that are read and differ from their shipped default, as JSON types, recursively.

        The model can be rebuilt from this. A key that is added later with a default leaves it unchanged: no
        digest changes, nothing is trained again.
        """
        values = self.model_dump(mode="json", exclude_defaults=True)
        for name in self._all_unread():
            _remove(values, name.split("."))
        return values

    def _all_unread(self) -> Iterator[str]:
        yield from self.unread()
        for name, value in self:
            if isinstance(value, Section):
                yield from (f"{name}.{key}" for key in value._all_unread())

    @model_validator(mode="after")
    def _raise_faults(self) -> Self:
        if faults := tuple(self.faults()):
            text = "; ".join(f"{key} must be {must}" for key, must in faults).replace("{section}", "")
            raise PydanticCustomError(FAULTS, "{text}", {"text": text, "faults": faults})
        return self


def _remove(values: dict[str, Any], path: list[str]) -> None:
    """Remove a key, and the sections around it that are then empty."""
    name, *inner = path
    if inner and name in values:
        _remove(values[name], inner)
    if name in values and not (inner and values[name]):
        del values[name]


def repeated(key: str, values: tuple[Any, ...]) -> Iterable[Fault]:
    """A fault if a list contains a value twice."""
    if len(set(values)) < len(values):
        yield Fault(key, "a list without repeated values")
