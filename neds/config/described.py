"""What the schema says of every key, in words: read from the fields and from the docstrings below them."""

import ast
import inspect
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from neds.config.layers import block_of
from neds.config.schema import Config
from neds.settings import Settings
from neds.validation import pattern_in_words


@dataclass(frozen=True)
class KeyDescription:
    """A key of the configuration, as its reference shows it. `paper` and `public_code` are empty where nothing is known."""

    key: str
    kind: str
    default: Any
    meaning: str
    when: str
    paper: str
    public_code: str

    @property
    def block(self) -> str:
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        return self.key.rpartition(".")[2]


def described_keys(model: type[Settings] = Config, prefix: str = "") -> Iterator[KeyDescription]:
    """Every key that is no block; those of a block follow the keys before it."""
    for name, field in model.model_fields.items():
        if block := block_of(model, name):
            yield from described_keys(block, f"{prefix}{name}.")
            continue
        told = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        yield KeyDescription(
            key=prefix + name,
            kind=_kind_of(field),
            default=field.get_default(call_default_factory=True),
            meaning=field_docstrings(model).get(name, ""),
            when=str(told.get("when", "")),
            paper=str(told.get("paper", "")),
            public_code=str(told.get("public_code", "")),
        )


def described_blocks(model: type[Settings] = Config, prefix: str = "") -> Iterator[tuple[str, type[Settings]]]:
    """Dotted name and type of every block, nested ones after theirs."""
    for name in model.model_fields:
        if block := block_of(model, name):
            yield prefix + name, block
            yield from described_blocks(block, f"{prefix}{name}.")


@cache
def field_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The docstring below each field, on one line; those of base classes too."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not issubclass(cls, BaseModel) or cls is BaseModel:
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(definition, ast.ClassDef)
        for field, below in zip(definition.body, definition.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                name, text = field.target.id, getattr(getattr(below, "value", None), "value", None)
                if isinstance(below, ast.Expr) and isinstance(text, str):
                    found[name] = " ".join(text.split())
    return found


def one_line(text: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split())


def _kind_of(field: FieldInfo) -> str:
    return _limited(_kind(field.annotation), field.metadata)


def _kind(annotation: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _limited(_kind(inner[0]), [m for of in inner[1:] for m in getattr(of, "metadata", [of])])
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(part) for part in inner)
    if origin is Literal:
        listed = [*inner[:2], "...", inner[-1]] if len(inner) > _MOST_LISTED else list(inner)
        return ", ".join(map(str, listed[:-1])) + f" or {listed[-1]}" if len(inner) > 1 else str(inner[0])
    if origin is list:
        return f"list, each {_kind(inner[0])}"
    if origin is dict:
        return f"mapping of {_kind(inner[0])} to {_kind(inner[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return f"mapping with {', '.join(annotation.model_fields)}"
    return _WORDS[annotation]


_MOST_LISTED = 9
_WORDS = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    type(None): "null",
    Any: "any value",
}


def _limited(kind: str, metadata: list[Any]) -> str:
    limits = []
    for name, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤")):
        limits += [f"{sign} {value}" for of in metadata if (value := getattr(of, name, None)) is not None]
    least = [value for of in metadata if (value := getattr(of, "min_length", None))]
    most = [value for of in metadata if (value := getattr(of, "max_length", None))]
    limits += [pattern_in_words(value) for of in metadata if (value := getattr(of, "pattern", None))]
    if least:
        limits.append(f"{least[0]} values" if least == most else f"{least[0]} or more")
    return f"{kind} ({', '.join(limits)})" if limits else kind
