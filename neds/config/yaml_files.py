"""Configuration files as their authors meant them: a key that is given twice, or what only Python could read, is refused."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from neds.errors import UserError

Repetition = tuple[str, int, int]


class _Loader(yaml.SafeLoader):
    """Dates stay text: nothing in a configuration is anything else, and `revision_before` need not be put in quotes."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_config_file(path: Path) -> dict[str, Any]:
    """The values of a YAML file, or of a JSON file by its ending; none of an empty file.

    Raises:
        UserError: there is no such file, it cannot be read, it is no mapping, or a key is given twice; a line each.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such configuration file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: no readable text file ({error}); save it as UTF-8") from None
    values = _json(text, str(path)) if path.suffix == ".json" else _yaml(text, str(path))
    if not isinstance(values, dict | None):
        raise UserError(f"{path}: holds no keys; a configuration file is a mapping, e.g. `seeds: [0, 1, 2]`")
    return values or {}


def command_line_values(arguments: Sequence[str]) -> dict[str, Any]:
    """What `snakemake --config key=value ...` gives, each value read as YAML; nothing is null.

    Snakemake's own reading has no numbers within lists and mappings.

    Raises:
        UserError: a value is no YAML, or a key is given twice.
    """
    values: dict[str, Any] = {}
    for argument in arguments:
        key, _, text = argument.partition("=")
        if key in values:
            raise UserError(f"--config {key}: is given twice; keep one")
        values[key] = _yaml(text, f"--config {key}")
    return values


def _yaml(text: str, name: str) -> Any:
    """Raises UserError where the text is not read as it stands."""
    try:
        for event in yaml.parse(text, Loader=_Loader):
            assert event.start_mark is not None  # Only events that a program makes have none.
            line = event.start_mark.line + 1
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise UserError(f"{name}, line {line}: anchors (&, *) are not read; write the value out")
            if tag := getattr(event, "tag", None):
                raise UserError(f"{name}, line {line}: the tag {tag} is not read; leave it out")
        node = yaml.compose(text, Loader=_Loader)
        if node is None:
            return None
        repeated = [
            f"{name}: key {key} is given twice, in lines {first} and {second}; keep one"
            for key, first, second in _repetitions(node)
        ]
        if repeated:
            raise UserError("\n".join(repeated))
        return _Loader("").construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{name}{place}: cannot be read as YAML ({' '.join(str(error.problem).split())})") from None
    except yaml.YAMLError as error:
        raise UserError(f"{name}: cannot be read as YAML ({' '.join(str(error).split())})") from None
    except RecursionError:
        raise UserError(f"{name}: cannot be read as YAML (too many brackets within one another)") from None
    except ValueError as error:
        raise UserError(f"{name}: holds a number that cannot be read ({error})") from None


def _repetitions(node: yaml.Node, prefix: str = "") -> Iterator[Repetition]:
    """Dotted key and the two lines of every key that stands twice in one mapping."""
    if isinstance(node, yaml.SequenceNode):
        for index, inner in enumerate(node.value):
            yield from _repetitions(inner, f"{prefix}{index}.")
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[tuple[str, str], int] = {}
    for key, inner in node.value:
        line, same = key.start_mark.line + 1, (key.tag, str(key.value))
        if same in lines:
            yield f"{prefix}{key.value}", lines[same], line
        lines[same] = line
        yield from _repetitions(inner, f"{prefix}{key.value}.")


def _json(text: str, name: str) -> Any:
    def without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise UserError(f"{name}: key {key} is given twice; keep one")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=without_repetition)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"{name}: cannot be read as JSON ({error})") from None
