"""Keys that had another name: the line that says the new one."""

from collections.abc import Mapping, Sequence
from typing import Any

from neds.config.layers import Layer
from neds.config.schema import Config
from neds.validation import as_yaml


def renamed_faults(layers: Sequence[Layer]) -> tuple[list[Layer], list[str]]:
    """The layers without keys that had another name, and a line for each of these."""
    faults = [
        f"config key training_overrides: is called overrides now, with dotted keys; write {_rewritten(old)}"
        for layer in layers
        if (old := layer.values.get("training_overrides", _ABSENT)) is not _ABSENT
    ]
    kept = [Layer(x.name, {k: v for k, v in x.values.items() if k != "training_overrides"}) for x in layers]
    return kept, faults


_ABSENT = object()


def _rewritten(old: Any) -> str:
    default = Config.model_fields["overrides"].default
    if not isinstance(old, Mapping) or not all(isinstance(changes, Mapping) for changes in old.values()):
        return f"overrides: {as_yaml(default)}, say"
    new = {name: {f"training.{key}": value for key, value in changes.items()} for name, changes in old.items()}
    return f"overrides: {as_yaml(new)} (it replaces the default, {as_yaml(default)}: repeat what is to stay)"
