"""Checks of text that is empty where something is to be named."""

from collections.abc import Iterator
from typing import Any

from neds.config.checked import Checked
from neds.config.layers import leaves
from neds.config.schema import Config

_MAY_BE_EMPTY = ("values", "series_units", "custom_modalities")
"""Last names of keys in which an empty text says something: a value or a unit that is unknown, a label that is none."""


def blank_faults(checked: Checked) -> list[str]:
    """Empty texts, and such of spaces alone, among the values, in lists and in mappings."""
    return [
        f"config key {place}: is empty text; write what is meant, or leave it out"
        for key, value in leaves(Config, checked.config.model_dump())
        if key.rpartition(".")[2] not in _MAY_BE_EMPTY
        for place in _blanks(key, value)
    ]


def _blanks(place: str, value: Any) -> Iterator[str]:
    if isinstance(value, str) and not value.strip():
        yield place
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _blanks(f"{place}.{number}", item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from (
                [f"{place}.{name!r}"]
                if isinstance(name, str) and not name.strip()
                else _blanks(f"{place}.{name}", item)
            )
