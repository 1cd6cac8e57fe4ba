"""Values of columns as text, by which a configuration names them. Light: importing this imports no numpy."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

Value = int | float | str


def value_name(value: object) -> str:
    """A value as text that no other value has: left, 0.5, 20240101; 1 also for 1.0 and true, nan for NaN."""
    if isinstance(value, bool | int):
        return str(int(value))
    if not isinstance(value, float):
        return str(value)
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    # Adding 0 makes -0 the same as 0.
    text = format(Decimal(repr(float(value) + 0.0)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_text(value: bytes) -> str:
    """Text in UTF-8, or, of older programs, in Latin-1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _keys_as_text(values: Any) -> Any:
    if not isinstance(values, dict):
        return values
    return {k: {value_name(key): v for key, v in e.items()} if isinstance(e, dict) else e for k, e in values.items()}


Meanings = Annotated[dict[str, dict[str, Value]], BeforeValidator(_keys_as_text)]
"""Name of a column -> {value: what it stands for}."""
