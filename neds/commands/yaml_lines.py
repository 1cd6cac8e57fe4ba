"""YAML in which some entries stand as comments."""

from collections.abc import Sequence
from dataclasses import dataclass

from neds.validation import as_yaml


@dataclass(frozen=True)
class Line:
    """An entry of a mapping, in use or as a comment."""

    name: str
    value: object
    note: str = ""
    used: bool = True


@dataclass(frozen=True)
class Block:
    """A mapping in a mapping. It is in use where something in it is."""

    name: str
    entries: Sequence["Line | Block"]

    @property
    def used(self) -> bool:
        return any(entry.used for entry in self.entries)


def yaml_lines(entry: Line | Block, *, depth: int = 0, comment_at: int | None = None) -> list[str]:
    """An entry as lines of YAML.

    Args:
        depth: levels above it.
        comment_at: the level at which a comment begins that it is in; None where it is in none.
    """
    if comment_at is None and not entry.used:
        comment_at = depth
    start = "  " * depth if comment_at is None else f"{'  ' * comment_at}# {'  ' * (depth - comment_at)}"
    if isinstance(entry, Line):
        note = f"  # {one_line(entry.note)}" if entry.note else ""
        return [f"{start}{as_yaml(entry.name)}: {as_yaml(entry.value)}{note}"]
    inner = (yaml_lines(each, depth=depth + 1, comment_at=comment_at) for each in entry.entries)
    return [f"{start}{as_yaml(entry.name)}:", *(line for lines in inner for line in lines)]


def one_line(text: str) -> str:
    """Text that can stand in a comment, whatever a file holds."""
    return " ".join(text.split())
