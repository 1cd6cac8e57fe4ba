"""How several files become one configuration, and where each of its values came from."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from neds.config.schema import Config
from neds.settings import Settings
from neds.validation import as_yaml, overlap

DEFAULT = "default"
"""Origin of what no file says."""


@dataclass(frozen=True)
class Layer:
    """What one file, or the command line, says."""

    name: str
    values: Mapping[str, Any]


@dataclass
class Merged:
    """Values of several layers, the later over the earlier.

    Attributes:
        values: as YAML would give them; what no layer says is absent, but for `overrides`.
        origins: dotted key -> name of the layer that gave its value. Keys of blocks are apart, other mappings whole.
        gave_way: overrides of a layer that a later one took away: stage or mode or both, and a sentence.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    gave_way: list[tuple[str, str]] = field(default_factory=list)

    def origin_of(self, key: str) -> str:
        return self.origins.get(key, DEFAULT)


def block_of(model: type[BaseModel], key: object) -> type[Settings] | None:
    """The settings that the key of a block stands for; None for every other key."""
    known = model.model_fields.get(key) if isinstance(key, str) else None
    annotation = known.annotation if known else None
    return annotation if isinstance(annotation, type) and issubclass(annotation, Settings) else None


def leaves(model: type[BaseModel], values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of everything in `values` that is no block."""
    for key, value in values.items():
        block = block_of(model, key)
        if block and isinstance(value, Mapping):
            yield from leaves(block, value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def merge(layers: Sequence[Layer]) -> Merged:
    """Blocks are merged key by key; every other value, mappings too, replaces the one before.

    A value that a layer gives for a key of model, masking or training removes this key from the overrides of the layers
    before it and of the defaults, so that no default overrides what somebody wrote.
    """
    merged = Merged(values={"overrides": deepcopy(Config.model_fields["overrides"].default)})
    for layer in layers:
        given = dict(leaves(Config, layer.values))
        _note_lost_overrides(merged, layer)
        if "overrides" not in layer.values:
            merged.values["overrides"] = _without(merged.values["overrides"], given)
        _put(Config, merged.values, layer.values)
        for key in given:
            merged.origins = {known: origin for known, origin in merged.origins.items() if not overlap(known, key)}
            merged.origins[key] = layer.name
    return merged


def _put(model: type[BaseModel], into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        block = block_of(model, key)
        if block and isinstance(value, Mapping):
            inner = into.get(key)
            into[key] = inner if isinstance(inner, dict) else {}
            _put(block, into[key], value)
        else:
            into[key] = deepcopy(value)


def _without(overrides: Any, given: Collection[str]) -> Any:
    """The overrides without what is given, what holds it and what is a part of it. What is no mapping stays."""
    if not isinstance(overrides, Mapping):
        return overrides
    kept = {}
    for name, changes in overrides.items():
        if isinstance(changes, Mapping):
            rest = {key: value for key, value in changes.items() if not any(overlap(str(key), by) for by in given)}
            if rest or not changes:
                kept[name] = rest
        else:
            kept[name] = changes
    return kept


def _note_lost_overrides(merged: Merged, layer: Layer) -> None:
    """Overrides of earlier layers that this one takes away, by overrides of its own or by values for their keys."""
    before, own = merged.values["overrides"], layer.values.get("overrides")
    given = dict(leaves(Config, layer.values))
    for name, changes in before.items() if isinstance(before, Mapping) else ():
        for key, value in changes.items() if isinstance(changes, Mapping) else ():
            place = f"overrides: {name}: {key}: {as_yaml(value)} ({merged.origin_of('overrides')})"
            if "overrides" in layer.values:
                mine = own.get(name) if isinstance(own, Mapping) else None
                if not isinstance(mine, Mapping) or key not in mine:
                    by_overrides = f"{place} gave way to the overrides of {layer.name}; repeat it there to keep it"
                    merged.gave_way.append((str(name), by_overrides))
            elif by := next((by for by in given if overlap(str(key), by)), None):
                merged.gave_way.append((str(name), f"{place} gave way to {by} of {layer.name}"))
