"""What a variant changes: dotted keys of the blocks model, masking and training, and their values."""

import copy
from collections.abc import Mapping
from typing import Any

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
        place[last] = value
    return changed
