"""Changes of the blocks model, masking and training: dotted keys and their values, as variants and overrides give them."""

import copy
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from neds.settings import Settings
from neds.validation import as_yaml, did_you_mean, fault_lines

Changes = dict[str, Any]
Blocks = dict[str, dict[str, Any]]


def with_changes(blocks: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """The blocks of settings, as plain values, with the changed keys; the rest and the argument stay as they are.

    Raises:
        KeyError: a key whose path does not exist. The last part need not exist, so that a weight can be added.
    """
    changed = copy.deepcopy(dict(blocks))
    for key, value in changes.items():
        *path, last = key.split(".")
        place = changed
        for part in path:
            place = place[part]
        # A copy, because another change may be of a part of it.
        place[last] = copy.deepcopy(value)
    return changed


def key_faults(changes: Changes, blocks: Mapping[str, Settings], *, whose: str) -> list[tuple[str, str]]:
    """Keys that nothing in `blocks` is called, each with what is wrong.

    Args:
        blocks: the settings that may be changed, by the first part of the dotted keys.
        whose: who changes them, e.g. "a variant".
    """
    plain = {name: block.model_dump() for name, block in blocks.items()}
    known = [f"{name}.{field}" for name, block in plain.items() for field in block]
    faults = []
    for key, value in changes.items():
        block, _, rest = str(key).partition(".")
        field, _, inner = rest.partition(".")
        if key in plain and isinstance(value, Mapping):
            dotted = ", ".join(f"{key}.{name}: {as_yaml(inner)}" for name, inner in value.items())
            faults.append((key, f"keys are dotted here; write {dotted or 'block.key: value'}"))
        elif f"{block}.{field}" not in known or (inner and ("." in inner or not isinstance(plain[block][field], dict))):
            same_name = [name for name in known if name.endswith(f".{key}")]
            hint = did_you_mean(str(key), known, otherwise=f"{whose} changes keys of {', '.join(plain)}")
            hint = f"did you mean {same_name[0]}?" if same_name else hint
            faults.append((key, f"no key that {whose} may change; {hint}"))
        elif isinstance(plain[block][field], dict) and not inner and not isinstance(value, Mapping):
            faults.append((key, f"must be a mapping of keys to values, not {value!r}"))
    return faults


def changed_blocks(
    changes: Changes, blocks: Mapping[str, Settings]
) -> tuple[dict[str, Settings], list[tuple[str, str]]]:
    """The changed blocks that are valid; and of the others the dotted key and what is wrong, fault by fault."""
    plain = {name: block.model_dump() for name, block in blocks.items()}
    changed, faults = {}, []
    for name, values in with_changes(plain, changes).items():
        try:
            changed[name] = type(blocks[name]).model_validate(values)
        except ValidationError as error:
            faults += [
                (f"{name}.{place}".rstrip("."), text) for place, text in fault_lines(error, type(blocks[name]), values)
            ]
    return changed, faults
