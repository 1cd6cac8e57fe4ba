"""All faults that pydantic finds in a configuration, one line each, in the user's terms."""

import copy
import difflib
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]


def validated_in_part(model: type[Model], values: Mapping[str, Any]) -> tuple[Model, list[str], set[str]]:
    """`values` as a `model`, with what is faulty at its default, so that the rest can be checked further.

    Returns:
        The model, its faults (one line each), and the dotted keys that were replaced by their defaults.
    """
    values = copy.deepcopy(dict(values))
    faults: list[str] = []
    broken: set[str] = set()
    while True:
        try:
            return model.model_validate(values), faults, broken
        except ValidationError as error:
            # What a block says of a part that is a default by now would be no fault of the user's.
            before = set(broken)
            for place, line in _lines(error, model, values):
                if not any(overlap(place, key) for key in before):
                    faults.append(f"config key {place}: {line}")
            broken |= {_removed(values, fault["loc"]) for fault in error.errors()}


def described(error: ValidationError, model: type[BaseModel], values: Mapping[str, Any], *, prefix: str) -> list[str]:
    """One line per fault of `values`, which stand under the dotted key `prefix`."""
    return [f"config key {prefix}.{place}: {line}" for place, line in _lines(error, model, values)]


def overlap(first: str, second: str) -> bool:
    """Whether two dotted keys are the same or one lies within the other."""
    return f"{first}.".startswith(f"{second}.") or f"{second}.".startswith(f"{first}.")


def did_you_mean(name: str, known: list[str], *, otherwise: str) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else otherwise


def _lines(error: ValidationError, model: type[BaseModel], values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Dotted key and what is wrong, by fault. A value that may be of several types has a fault of each: they become one."""
    by_union: dict[Location, list[Mapping[str, Any]]] = {}
    for fault in error.errors():
        is_missing = fault["type"] == "missing"
        by_union.setdefault(fault["loc"] if is_missing else _place(values, fault["loc"], until_union=True), []).append(
            fault
        )
    lines = []
    for faults in by_union.values():
        places = [fault["loc"] if fault["type"] == "missing" else _place(values, fault["loc"]) for fault in faults]
        # The alternative that was understood best is the one that was meant.
        deepest = max(len(place) for place in places)
        meant = [fault for fault, place in zip(faults, places, strict=True) if len(place) == deepest]
        place = next(place for place in places if len(place) == deepest)
        wrong = list(dict.fromkeys(_wrong(fault, place, model) for fault in meant))
        if len(wrong) > 1:
            ends = f", not {meant[0]['input']!r}"
            wrong = [" or ".join(text.removesuffix(ends).removeprefix("input should be ") for text in wrong)]
            wrong = [f"input should be {wrong[0]}{ends}"]
        lines.append((".".join(map(str, place)), wrong[0]))
    return lines


def _wrong(fault: Mapping[str, Any], place: Location, model: type[BaseModel]) -> str:
    value = fault["input"]
    if fault["type"] == "extra_forbidden":
        return "unknown key; " + did_you_mean(str(place[-1]), _keys_at(model, place[:-1]), otherwise="remove it")
    if fault["loc"][-1] == "[key]" and fault["type"] == "literal_error":
        known = re.findall("'([^']+)'", fault["ctx"]["expected"])
        return "unknown key; " + did_you_mean(str(value), known, otherwise=f"known are {', '.join(known)}")
    if isinstance(value, str) and fault["type"] in ("float_type", "int_type") and _is_number(value):
        return f"{value!r} is text, not a number; {_as_number(value)}"
    if fault["type"] == "missing":
        return "is missing"
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    return f"{fault['msg'][0].lower() + fault['msg'][1:]}, not {value!r}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _as_number(text: str) -> str:
    """How to write in YAML the number that was meant: there an exponent needs a point before it and a sign."""
    matched = re.fullmatch(r"([+-]?\d+)(\.\d*)?e([+-]?)(\d+)", text, re.IGNORECASE)
    if not matched:
        return "leave out the quotes"
    whole, fraction, sign, exponent = matched.groups()
    return f"YAML reads it so: write {whole}{fraction or '.0'}e{sign or '+'}{exponent}"


def _place(values: Any, location: Location, *, until_union: bool = False) -> Location:
    """A fault's location without pydantic's names for the types of a union and for keys; or up to the first such name."""
    place: list[str | int] = []
    for part in location:
        inside = isinstance(values, Mapping) and part in values
        if inside or (isinstance(values, list) and isinstance(part, int) and part < len(values)):
            place.append(part)
            values = values[part]
        elif until_union and part != "[key]":
            break
    return tuple(place)


def _removed(values: dict[str, Any], location: Location) -> str:
    """Remove the innermost key that holds the fault; its dotted name."""
    place = _place(values, location)
    keys: list[Any] = []
    inner: Any = values
    for part in place:
        if not isinstance(inner, dict):
            break
        keys.append(part)
        holder, inner = inner, inner[part]
    if keys:
        del holder[keys[-1]]
    return ".".join(map(str, keys))


def _keys_at(model: type[BaseModel], location: Location) -> list[str]:
    inner: Any = model
    for part in location:
        field = inner.model_fields.get(part)
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
    return list(inner.model_fields)
