"""One job of the workflow: what it reads and writes, and every value that its result depends on."""

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

Wildcards = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A job, told from the others of its rule by the wildcards.

    Attributes:
        rule: name of the rule.
        command: of the table of commands.
        wildcards: of the rule, by name.
        outputs: paths by name; a folder counts as a file.
        inputs: paths by the name of the command's option, in order: files of other steps, or files from outside.
        values: all other options that the result depends on, by name.
        operational: options that change no result.
        also: further files that must be there first, of which the result does not depend by itself.
        is_target: whether the file is remade when it is missing, though all that was made from it is there.
    """

    rule: str
    command: str
    wildcards: Wildcards = field(default_factory=dict)
    outputs: Mapping[str, str]
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    operational: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    is_target: bool = True

    @property
    def key(self) -> tuple[str, frozenset[tuple[str, str]]]:
        return step_key(self.rule, self.wildcards)

    @property
    def title(self) -> str:
        """What people call it, e.g. "evaluate <eid>, mm, scratch, seed 0"."""
        return step_title(self.rule, self.wildcards)

    @property
    def read(self) -> Iterable[str]:
        """All inputs that the result depends on."""
        return (path for paths in self.inputs.values() for path in paths)


def step_key(rule: str, wildcards: Wildcards) -> tuple[str, frozenset[tuple[str, str]]]:
    return rule, frozenset(wildcards.items())


def step_title(rule: str, wildcards: Wildcards) -> str:
    """Stage, session and the rest of what tells a job from others."""
    known = {name: value for name, value in sorted(wildcards.items()) if value}
    eid, seed = known.pop("eid", ""), known.pop("seed", None)
    details = [value.strip("-") for value in known.values()] + ([] if seed is None else [f"seed {seed}"])
    return ", ".join([f"{rule} {eid}".strip(), *details])


def plain(settings: BaseModel | None) -> Any:
    """Settings as JSON has them, all keys."""
    return None if settings is None else settings.model_dump(mode="json")


def options(values: Mapping[str, Any]) -> str:
    """Values as options of a command, quoted for a shell; what is None, False or empty is left out, as it is by default."""
    words: list[str] = []
    for name, value in values.items():
        if value is None or value is False or value == "" or value == []:
            continue
        words.append("--" + name.replace("_", "-"))
        if isinstance(value, Mapping):
            # The report holds the options of jobs in a script of its page, where a tag would end it.
            words.append(json.dumps(value, sort_keys=True).replace("<", "\\u003c"))
        elif isinstance(value, list):
            words += map(str, value)
        elif value is not True:
            words.append(str(value))
    return " ".join(map(shlex.quote, words))
