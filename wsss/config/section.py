"""What every section of a run's configuration has in common.

A section is a frozen pydantic model: it refuses unknown keys, and checks that need several keys at once are
reported like those of a single key, all together.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

#: type of the pydantic error that carries the faults of `Section.faults`
FAULTS = "faults"


class Fault(NamedTuple):
    """A key whose value does not go with others: dotted name within the section, and what it must be."""

    key: str
    must: str


class Section(BaseModel):
    """Base of all sections: immutable, no unknown keys, no infinities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def faults(self) -> Iterable[Fault]:
        """What is wrong between keys that are each valid alone."""
        return ()

    def unread(self) -> frozenset[str]:
        """Keys that no stage reads, given the values of the others. They must not re-train anything.

        Dotted where they are of a section within this one.
        """
        return frozenset()

    def differences(self) -> dict[str, Any]:
        """The keys that are read and are not at their shipped default, as JSON types, recursively.

        The model itself can be made again from this, and a key that is added later with a default leaves it
        as it is: no digest changes, nothing is trained again.
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
            text = "; ".join(f"{key} must be {must}" for key, must in faults)
            raise PydanticCustomError(FAULTS, "{text}", {"text": text, "faults": faults})
        return self


def _remove(values: dict[str, Any], path: list[str]) -> None:
    """Remove a key, and the sections around it that are left with nothing."""
    name, *inner = path
    if inner and name in values:
        _remove(values[name], inner)
    if name in values and not (inner and values[name]):
        del values[name]


def repeated(key: str, values: tuple[Any, ...]) -> Iterable[Fault]:
    """A fault if a list names a value twice."""
    if len(set(values)) < len(values):
        yield Fault(key, "a list that names nothing twice")
