"""What the parameters of a stage function are to the job that runs it, said in their annotations.

A parameter without a role is a value that the result depends on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

T = TypeVar("T")
Kind = Literal["input", "output", "growing", "state", "operational"]


@dataclass(frozen=True)
class Role:
    """A role.

    Attributes:
        kind: input: read, and what it holds is part of the result's identity; output: written whole at the end; growing: an
            output to look at while the job goes on; state: kept from one try to the next until the job has ended;
            operational: changes no result.
        folder: whether it is a folder.
        within: the file that is read where an input is a folder.
        suffixes: of the files that an output stands for, where it is only their stem.
    """

    kind: Kind
    folder: bool = False
    within: str = ""
    suffixes: tuple[str, ...] = ()


InputFile = Annotated[Path, Role("input")]
InputFiles = Annotated[Sequence[Path], Role("input")]
OutputFile = Annotated[Path, Role("output")]
OutputFolder = Annotated[Path, Role("output", folder=True)]
GrowingFile = Annotated[Path, Role("growing")]
FigureStem = Annotated[Path, Role("output", suffixes=("pdf", "png", "csv"))]
TableStem = Annotated[Path, Role("output", suffixes=("csv", "md", "tex", "html"))]
StateFile = Annotated[Path, Role("state")]
Operational = Annotated[T, Role("operational")]


def role_of(annotation: Any) -> Role | None:
    """The role in an annotation, also in that of a parameter that may be None; None for a value."""
    for part in get_args(annotation):
        role = part if isinstance(part, Role) else role_of(part)
        if role:
            return role
    return None


def with_suffix_added(stem: Path, suffix: str) -> Path:
    """The file of a stem, e.g. metrics.pdf of metrics, also where the stem has a dot in it."""
    return stem.with_name(f"{stem.name}.{suffix}")
