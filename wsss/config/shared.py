"""Keys that a run sets once for all its trainings: `network` and `seed`.

A training's own key takes precedence, also where it is set by a run that is extended. The values become part
of the trainings' sections before they are validated, so that digests are those of a file in which each
training sets them.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from wsss.config.section import Section
from wsss.config.training import TrainingConfig

KeyPath = tuple[str, ...]


class SharedNetworkConfig(Section):
    """Backbone of all trainings but PoolNet's; a training's own `network` takes precedence."""

    backbone: Annotated[
        str | None,
        Field(
            min_length=1, description="timm model name for all trainings but PoolNet's; null: their defaults"
        ),
    ] = None
    weights: Annotated[
        str | None,
        Field(
            min_length=1,
            description="initial weights of the backbones: `imagenet`, `package`, `none`, or a file; null: "
            "the trainings' defaults",
        ),
    ] = None
    output_stride: Annotated[
        Literal[8, 16, 32] | None, Field(description="stride of the last feature map; null: their defaults")
    ] = None
    norm: Annotated[
        Literal["normal", "fix"] | None,
        Field(description="batch norm of the backbones that are trained; null: the trainings' defaults"),
    ] = None
    freeze: Annotated[
        Literal["none", "stem", "stages", "all"] | None,
        Field(description="frozen part of the backbones that are trained; null: the trainings' defaults"),
    ] = None


def trainings(section: type[Section]) -> Iterator[tuple[KeyPath, type[TrainingConfig]]]:
    """Path and type of every training's section below a section."""
    for name, field in section.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, TrainingConfig):
            yield (name,), model
        elif isinstance(model, type) and issubclass(model, Section):
            yield from (((name, *path), training) for path, training in trainings(model))


def shared_keys(section: type[Section]) -> Iterator[tuple[KeyPath, KeyPath]]:
    """Paths of the keys of trainings that a run can share, each with the path of the shared key."""
    for path, training in trainings(section):
        yield (*path, "optimisation", "seed"), ("seed",)
        network = training.model_fields["network"].annotation
        if training.shares_network and isinstance(network, type) and issubclass(network, Section):
            for key in SharedNetworkConfig.model_fields:
                if key in network.model_fields:
                    yield (*path, "network", key), ("network", key)


def with_shared(
    section: type[Section], values: dict[str, Any]
) -> tuple[dict[str, Any], dict[KeyPath, KeyPath]]:
    """The values with the shared keys in every training that does not set them itself.

    values: of a run's file, not yet validated. Also returns the paths that were filled, each with the path of
    the shared key.
    """
    filled = {}
    for path, shared in shared_keys(section):
        value: Any = values
        for name in shared:
            value = value.get(name) if isinstance(value, dict) else None
        changed = values if value is None else _inserted(values, path, value)
        if changed is not values:
            values, filled[path] = changed, shared
    return values, filled


def _inserted(values: Any, path: KeyPath, value: Any) -> Any:
    """A copy with the value at the path; the values themselves where the path is set or cannot exist."""
    if not isinstance(values, dict):
        return values
    name, *inner = path
    if not inner:
        return values if name in values else {**values, name: value}
    below = values.get(name, {})
    changed = _inserted(below, tuple(inner), value)
    return values if changed is below else {**values, name: changed}
