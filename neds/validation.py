"""What pydantic finds wrong with settings, one line a fault, in the user's terms."""

import difflib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from neds.errors import UserError
from neds.settings import PATTERNS
from neds.words import counted

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]


def fault_lines(error: ValidationError, model: type[BaseModel], values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Dotted key and what is wrong, by fault. A value that may be of several types has a fault of each: they become one.

    Args:
        values: what was validated as a `model`.
    """
    by_union: dict[Location, list[ErrorDetails]] = {}
    for fault in error.errors():
        place = fault["loc"] if fault["type"] == "missing" else place_in(values, fault["loc"], until_union=True)
        by_union.setdefault(place, []).append(fault)
    lines = []
    for faults in by_union.values():
        places = [f["loc"] if f["type"] == "missing" else place_in(values, f["loc"]) for f in faults]
        # The alternative that was understood best is the one that was meant.
        deepest = max(len(place) for place in places)
        meant = [fault for fault, place in zip(faults, places, strict=True) if len(place) == deepest]
        place = next(place for place in places if len(place) == deepest)
        lines.append((".".join(map(str, place)), _sentence(meant, place, model)))
    return lines


def described(error: ValidationError, model: type[BaseModel], values: Mapping[str, Any], *, prefix: str) -> list[str]:
    """One line per fault of `values`, which stand under the dotted key `prefix`."""
    return [
        f"config key {'.'.join(filter(None, [prefix, place]))}: {line}"
        for place, line in fault_lines(error, model, values)
    ]


def did_you_mean(name: str, known: Collection[str], *, otherwise: str) -> str:
    """A question with the known name that is nearest in spelling, whatever its capitals; `otherwise` where none is near.

    Dotted names are compared by their last part, which the block before it would drown.
    """
    wanted = name.lower()
    by_small = {one.lower(): one for one in known}
    near = difflib.get_close_matches(wanted, by_small, n=len(by_small) or 1)
    near = [one for one in near if "." not in wanted or _is_near(wanted.rpartition(".")[2], one.rpartition(".")[2])]
    return f"did you mean {by_small[near[0]]}?" if near else otherwise


def _is_near(one: str, other: str) -> bool:
    return bool(difflib.get_close_matches(one, [other]))


def as_yaml(value: object) -> str:
    """A value as it may stand in one line of a YAML file."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6).removesuffix("\n...\n").strip()
    # Text with line breaks takes several lines in YAML, and one in JSON, which YAML reads too.
    return json.dumps(value, ensure_ascii=False) if "\n" in text else text


def overlap(first: str, second: str) -> bool:
    """Whether two dotted keys are the same or one lies within the other."""
    return f"{first}.".startswith(f"{second}.") or f"{second}.".startswith(f"{first}.")


def place_in(values: Any, location: Location, *, until_union: bool = False) -> Location:
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


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


# What a value must be, by pydantic's type of error and its context. Alternatives are joined by "or".
_MUST_BE: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "int_type": lambda ctx: "a whole number",
    "int_from_float": lambda ctx: "a whole number",
    "int_parsing_size": lambda ctx: "a smaller whole number",
    "float_type": lambda ctx: "a number",
    "finite_number": lambda ctx: "a finite number",
    "string_type": lambda ctx: "text",
    "string_pattern_mismatch": lambda ctx: f"text of {pattern_in_words(ctx['pattern'])}",
    "bool_type": lambda ctx: "true or false",
    "list_type": lambda ctx: "a list [in brackets]",
    "dict_type": lambda ctx: "a mapping of keys to values",
    "model_type": lambda ctx: "a mapping of keys to values",
    "none_required": lambda ctx: "null",
    "literal_error": lambda ctx: _listed(_literals(ctx)),
    "greater_than": lambda ctx: f"above {ctx['gt']:g}",
    "greater_than_equal": lambda ctx: f"{ctx['ge']:g} or more",
    "less_than": lambda ctx: f"below {ctx['lt']:g}",
    "less_than_equal": lambda ctx: f"at most {ctx['le']}",
    "too_short": lambda ctx: f"{counted(ctx['min_length'], 'value')} or more",
    "too_long": lambda ctx: f"at most {counted(ctx['max_length'], 'value')}",
}


def pattern_in_words(pattern: str) -> str:
    """What a pattern allows; the pattern itself where nobody has put it in words."""
    return PATTERNS.get(pattern, f"the pattern {pattern}")


def _literals(ctx: Mapping[str, Any]) -> list[str]:
    """The values that pydantic lists: numbers, and texts of which none holds a quote."""
    return [text or number for text, number in re.findall(r"'([^']+)'|(-?\d+)", ctx["expected"])]


def _sentence(faults: list[ErrorDetails], place: Location, model: type[BaseModel]) -> str:
    """What is wrong with the value that these faults are of, one for each type that it could have been."""
    own = [text for fault in faults if (text := _own_sentence(fault, place, model))]
    if own:
        return own[0]
    value = faults[0]["input"]
    wanted = dict.fromkeys(
        _MUST_BE[fault["type"]](fault.get("ctx", {})) for fault in faults if fault["type"] in _MUST_BE
    )
    if not wanted:
        return f"{value!r} cannot be used ({faults[0]['type'].replace('_', ' ')})"
    if value is None:
        return f"has no value; it must be {' or '.join(wanted)}"
    if isinstance(value, bool) and any(fault["type"] == "string_type" for fault in faults):
        return f"must be {' or '.join(wanted)}; YAML reads yes, no, on and off as true and false, so put it in quotes"
    return f"must be {' or '.join(wanted)}, not {value!r}"


def _own_sentence(fault: ErrorDetails, place: Location, model: type[BaseModel]) -> str:
    """Of faults that are no matter of what a value must be; empty for all others."""
    value = fault["input"]
    if fault["type"] == "extra_forbidden":
        return "unknown key; " + _meant(model, place)
    if fault["loc"] and fault["loc"][-1] == "[key]" and fault["type"] == "literal_error":
        known = _literals(fault["ctx"])
        return "unknown key; " + did_you_mean(str(value), known, otherwise=f"known are {', '.join(known)}")
    if fault["type"] == "invalid_key" or (fault["loc"] and fault["loc"][-1] == "[key]"):
        return f"the key {value!r} must be text; put it in quotes"
    if isinstance(value, str) and fault["type"] in ("float_type", "int_type") and _is_number(value):
        return f"{value!r} is text, not a number; {_as_number(value, whole=fault['type'] == 'int_type')}"
    if fault["type"] == "missing":
        return "is missing"
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _as_number(text: str, *, whole: bool) -> str:
    """How to write in YAML the number that was meant: there an exponent needs a point before it and a sign."""
    if whole and not text.strip().lstrip("+-").isdecimal():
        return "write a whole number, without point and exponent"
    matched = re.fullmatch(r"([+-]?\d+)(\.\d*)?e([+-]?)(\d+)", text, re.IGNORECASE)
    if not matched:
        return "leave out the quotes"
    integer, fraction, sign, exponent = matched.groups()
    return f"YAML reads it so: write {integer}{fraction or '.0'}e{sign or '+'}{exponent}"


def _meant(model: type[BaseModel], place: Location) -> str:
    """A question with the key of the same block that is spelt alike, or with those of other blocks of the same name."""
    name = str(place[-1])
    same = [key for key in _dotted_keys(model) if key.rpartition(".")[2] == name and "." in key]
    same.sort(key=lambda key: key.count("."))
    otherwise = f"did you mean {' or '.join(same)}?" if same else "remove it"
    return did_you_mean(name, _keys_at(model, place[:-1]), otherwise=otherwise)


def _dotted_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _dotted_keys(field.annotation, f"{prefix}{name}.")


def _keys_at(model: type[BaseModel], location: Location) -> list[str]:
    inner: Any = model
    for part in location:
        field = inner.model_fields.get(part)
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
    return list(inner.model_fields)


def validated(model: type[Model], values: object, *, where: str) -> Model:
    """`values` as settings of type `model`.

    Args:
        where: what holds them, for messages.

    Raises:
        UserError: one line per fault.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        mapping = values if isinstance(values, Mapping) else {}
        lines = [f"{where}, {place}: {line}" for place, line in fault_lines(error, model, mapping)]
        raise UserError("\n".join(lines)) from None
