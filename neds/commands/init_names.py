"""The parts of a configuration that `neds init` tells from the names in a recording's file."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

from neds.commands.suggested import Suggestion, suggested
from neds.commands.yaml_lines import Block, Line, one_line, yaml_lines
from neds.conversion.settings import MAPPINGS
from neds.errors import UserError
from neds.validation import as_yaml
from neds.words import counted

_BEHAVIOUR = {"nwb": "processing/behavior/"}
"""How paths of series begin that are behaviour; of other formats those of any series may be."""
_WINDOWS = """\
  # The file has no trials, so the recording is cut into windows of fixed length (docs/data.md).
  align: none
  window_start_s: 0
  window_end_s: 2.0
  split: blocks"""


def names_of(source: str, files: Sequence[Path]) -> tuple[dict[str, str], str]:
    """The texts of a source's template, by their places in it, and what is to be said of them.

    Args:
        source: nwb, brainsets or aligned.
        files: of the sessions. The names are those of the first that can be read, and others before it are named.

    Raises:
        UserError: none can be read.
    """
    faults: list[str] = []
    for file in files:
        try:
            found = _of_arrays(file) if source == "aligned" else _of_format(source, file)
        except UserError as error:
            faults.append(one_line(str(error)))
            continue
        texts, told = _told(source, file, found)
        unread = f"; {counted(len(faults), 'file')} before it could not be read: {faults[0]}" if faults else ""
        return texts, f"{told}{unread}"
    raise UserError(f"--data: none of {counted(len(files), 'file')} can be read: {faults[0]}")


def _told(source: str, file: Path, found: Suggestion) -> tuple[dict[str, str], str]:
    blocks = (
        Block("custom_modalities", found.custom),
        Block("arrays" if source == "aligned" else source, _entries(found)),
    )
    lines = [line for block in blocks if block.entries for line in ("", *yaml_lines(block))]
    named = ", ".join(found.modalities[1:])
    nothing = f"{file}: no behaviour of a known name; choose from the comments of the configuration"
    told = f"found in {file}: {named}" if named else nothing
    return _texts(source, file, found, lines), told


def _of_format(source: str, file: Path) -> Suggestion:
    reader = import_module(f"neds.conversion.{source}").opened
    usual = MAPPINGS[source].model_validate({}).filled()
    with reader(file, usual) as session:
        return suggested(session, usual, behaviour=_BEHAVIOUR.get(source, ""))


def _of_arrays(file: Path) -> Suggestion:
    # Here, because other sources do not need them.
    from neds.commands.suggested_arrays import suggested_arrays
    from neds.partition.array_file import read_arrays

    return suggested_arrays(read_arrays(file)[0])


def _entries(found: Suggestion) -> list[Line | Block]:
    return [Block(key, lines) for key, lines in found.mapping.items() if lines] + list(found.further)


def _texts(source: str, file: Path, found: Suggestion, lines: list[str]) -> dict[str, str]:
    texts = {"first": as_yaml(file.name), "modalities": as_yaml(found.modalities), "names": "\n".join(lines)}
    return texts if source == "aligned" else texts | {"cutting": "\n".join(_cutting(found))}


def _cutting(found: Suggestion) -> Iterator[str]:
    if not found.align:
        yield _WINDOWS
        return
    others = f"; there are also {', '.join(found.events)}" if found.events else ""
    event = Line("align", found.align, f"column of the trials table with the time of the event{others}")
    yield from yaml_lines(event, depth=1)
    rule = (
        "the other rules are those of the IBL's task" if found.rule == "all" else "docs/configuration.md has the others"
    )
    yield from yaml_lines(Line("trial_rule", found.rule, rule), depth=1)
    for end, name in ((-0.5, "window_start_s"), (1.5, "window_end_s")):
        yield from yaml_lines(Line(name, end, "seconds from the event"), depth=1)
