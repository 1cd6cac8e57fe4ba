"""Base class of the typed settings that each stage declares beside its code, and what a key says of itself."""

import os
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Immutable, strictly typed settings: unknown keys, text where a number belongs, and infinite numbers are refused.

    A field is the only place for its key's type, constraints, default and meaning (the docstring below it); `key` adds what
    the reference tells the user beside these. pydantic could read the docstrings too, but at every import: that would double
    the time that the configuration takes to load, in every job.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def key(default: Any, *, when: str, paper: str = "", public_code: str = "", **constraints: Any) -> Any:
    """A field of settings that the user can set.

    Args:
        when: when to change it, and to what.
        paper: the value of the paper (Zhang, Wang et al., ICML 2025), where it has one.
        public_code: the value of the paper's public code, likewise.
        constraints: as for pydantic's Field.
    """
    told = {"when": when, "paper": paper, "public_code": public_code}
    return Field(default, json_schema_extra={name: text for name, text in told.items() if text}, **constraints)


def _usable_path(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write a path")
    if text.startswith("~"):
        raise ValueError(f"{text}: ~ is not replaced here; write the folder out")
    if fault := path_fault(text):
        raise ValueError(fault)
    if os.path.normpath(text).startswith("-"):
        raise ValueError(f"{text}: begins with a dash, as options of commands do; write the whole path")
    return text


def path_fault(text: str) -> str:
    """Why the workflow cannot take a path as it stands, in a sentence; empty where it can."""
    if not text.isprintable():
        return f"{text!r} has a line break or another control character in it; write one path"
    if "{" in text or "}" in text:
        return f"{text}: braces stand for wildcards in Snakemake; choose a path without them"
    return ""


Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""Seed of random numbers, as every library takes it."""
NAME_PATTERN = "^[A-Za-z0-9_-]+$"
PATTERNS = {NAME_PATTERN: "letters, digits, _ and - only"}
"""What the patterns of texts allow, in words."""
NameText = Annotated[str, Field(pattern=NAME_PATTERN)]
"""Text that names files and columns."""
PathText = Annotated[str, AfterValidator(_usable_path)]
"""Path of a file or folder, as text."""
