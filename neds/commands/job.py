"""A stage function as a job: the code that was planned, outputs whole or not at all, and in each of them what made it."""

import inspect
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel

from neds.commands.code import command_code
from neds.commands.table import Command
from neds.errors import UserError
from neds.files.atomic import temporary_path
from neds.files.roles import Role, role_of, with_suffix_added
from neds.processes import signalled_to_stop
from neds.provenance import (
    InputRecord,
    SourceRecord,
    Stamp,
    can_hold,
    content_digest,
    metadata_path,
    read_stamp,
    software_in_use,
    source_record,
    threads_in_use,
    write_metadata,
    write_stamp,
)
from neds.words import counted

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Output:
    """A file or folder of a job: its final path, the one that it is written to first, and its name in the stamp."""

    name: str
    final: Path
    temporary: Path
    folder: bool


def writes_results(function: Callable[..., Any]) -> bool:
    """Whether a function is run as a job: whether it has outputs."""
    return any(role.kind == "output" for role in roles_of(function).values())


def roles_of(function: Callable[..., Any]) -> dict[str, Role]:
    """The roles of a stage function's parameters, by name; values have none."""
    hints = get_type_hints(function, include_extras=True)
    return {name: role for name, hint in hints.items() if name != "return" and (role := role_of(hint))}


def values_of(given: Mapping[str, Any], roles: Mapping[str, Role]) -> dict[str, Any]:
    """The given values that a result depends on, as JSON has them. Defaults are part of the code."""
    return {name: _plain(value) for name, value in given.items() if name not in roles and value is not None}


def run_job(
    command: Command, function: Callable[..., Any], given: Mapping[str, Any], *, planned: str | None = None
) -> None:
    """Call a stage function; write its outputs to temporary names, stamp them, and rename them when all are there.

    Of several processes that work together only the first has outputs.

    Args:
        given: its arguments.
        planned: digest of the code that the workflow was planned with.

    Raises:
        UserError: other code than planned, an output that cannot be written, or what the function raises; messages name the
            final paths.
    """
    arguments, roles = _arguments(function, given), roles_of(function)
    values = values_of(given, roles)
    code = command_code(command, values)
    if planned and planned != code:
        raise UserError(
            f"the code of `{command.name}` is not that which this workflow was planned with (it was edited meanwhile); "
            "start snakemake again"
        )
    if int(os.environ.get("RANK", "0")):
        function(**arguments)
        return
    outputs = list(_outputs(arguments, roles))
    temporary = {name: _temporary(path, roles[name]) for name, path in _paths(arguments, roles, "output")}
    modes = [_mode(output) for output in outputs]
    inputs, sources = _read(arguments, roles, of_session=command.group == "Sessions")
    try:
        function(**arguments | temporary)
        # What the function kept for another try is gone, so a signal may no longer end this.
        with signalled_to_stop():
            threads = threads_in_use()
            stamp = Stamp(command.name, values, code, inputs, sources, software_in_use(), threads)
            if threads:
                log.info("computed with %s", counted(threads, "thread"))
            beside = _stamp(outputs, stamp)
            # Of those that carry a stamp the first by path comes last: where it is new, so are the others.
            for output, mode in sorted(zip(outputs, modes, strict=True), key=_rank, reverse=True):
                _put_in_place(output, mode)
            for output, its_stamp in beside:
                write_metadata(output.final, its_stamp)
    except UserError as error:
        raise UserError(_with_final_paths(str(error), outputs)) from error.__cause__
    finally:
        for output in outputs:
            shutil.rmtree(output.temporary) if output.temporary.is_dir() else output.temporary.unlink(missing_ok=True)


def _arguments(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    bound = inspect.signature(function).bind(**given)
    bound.apply_defaults()
    return dict(bound.arguments)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _paths(arguments: Mapping[str, Any], roles: Mapping[str, Role], kind: str) -> Iterator[tuple[str, Any]]:
    """The arguments with a role that are given, by name."""
    for name, value in arguments.items():
        if name in roles and roles[name].kind == kind and value is not None:
            yield name, value


def _temporary(path: Path, role: Role) -> Path:
    """Where an output is written first, or the stem of the files that it stands for."""
    for suffix in role.suffixes:
        temporary_path(with_suffix_added(path, suffix))  # removes what a killed process left
    return temporary_path(path)


def _outputs(arguments: Mapping[str, Any], roles: Mapping[str, Role]) -> Iterator[_Output]:
    given = dict(_paths(arguments, roles, "output"))
    for name, path in given.items():
        role, temporary = roles[name], temporary_path(Path(path))
        if not role.suffixes:
            yield _Output(name if len(given) > 1 else "", Path(path), temporary, role.folder)
        for suffix in role.suffixes:
            yield _Output(suffix, with_suffix_added(path, suffix), with_suffix_added(temporary, suffix), folder=False)


def _mode(output: _Output) -> int:
    """Permissions of a new file in the output's folder, which is made.

    Raises:
        UserError: no file can be made there, or a folder holds files already, said before anything is computed.
    """
    # Snakemake removes a folder before the job that writes it. What is there else is somebody's.
    if output.folder and output.final.is_dir() and any(output.final.iterdir()):
        raise UserError(
            f"{output.final}: holds files, and this command writes a whole folder; name one that is empty or new"
        )
    try:
        output.final.parent.mkdir(parents=True, exist_ok=True)
        if output.folder:
            return 0
        output.temporary.touch()
        mode = output.temporary.stat().st_mode
        output.temporary.unlink()
        return mode
    except OSError as error:
        raise UserError(f"{output.final}: cannot be written ({error.strerror}); name another place") from None


def _read(
    arguments: Mapping[str, Any], roles: Mapping[str, Role], *, of_session: bool
) -> tuple[dict[str, list[InputRecord]], list[SourceRecord]]:
    """The inputs by parameter, and those of their files that come from outside.

    They are read before the function runs, because a file that is replaced meanwhile is not what it read.

    Args:
        of_session: whether files from outside, which are those of sessions, are to be told by size and time later. What
            the inputs themselves were made from counts among these, so that it is on record when they are deleted.

    Raises:
        UserError: an input that does not exist.
    """
    inputs: dict[str, list[InputRecord]] = {}
    sources: list[SourceRecord] = []
    for name, value in _paths(arguments, roles, "input"):
        for path in map(Path, value if isinstance(value, Sequence) else [value]):
            if not path.exists():
                raise UserError(f"{path}: no such file; it is what --{name.replace('_', '-')} names")
            if path.is_dir() and roles[name].within:
                path = path / roles[name].within
            # A folder in the place of a file is for the function to refuse.
            if not path.is_file():
                continue
            stamp = read_stamp(path)
            if stamp:
                inputs.setdefault(name, []).append(InputRecord(stamp.identity, stamp.content))
                sources += stamp.sources if of_session else []
                continue
            source = source_record(path, name=path.name)
            sources += [source] if of_session else []
            inputs.setdefault(name, []).append(InputRecord("", source.sha256))
    return inputs, sources


def _stamp(outputs: Sequence[_Output], stamp: Stamp) -> list[tuple[_Output, Stamp]]:
    """Stamp what can hold a stamp; returned are the files beside which it must lie, where none of the outputs can."""
    files = [output for output in outputs if not output.folder]
    contents = {output.name: content_digest(output.temporary) for output in files}
    own = [(output, replace(stamp, output=output.name, content=contents[output.name])) for output in files]
    able = [(output, its_stamp) for output, its_stamp in own if can_hold(output.temporary)]
    others = {output.name: contents[output.name] for output in files if not can_hold(output.temporary)}
    able = [(output, replace(its_stamp, others=others)) for output, its_stamp in able]
    for output, its_stamp in able:
        write_stamp(output.temporary, its_stamp)
    return [] if able else own


def _rank(placed: tuple[_Output, int]) -> tuple[bool, str]:
    output, _ = placed
    return not can_hold(output.final), str(output.final)


def _put_in_place(output: _Output, mode: int) -> None:
    if output.folder:
        shutil.rmtree(output.final, ignore_errors=True)
        output.temporary.replace(output.final)
        return
    output.temporary.chmod(mode)
    with open(output.temporary, "rb+") as handle:
        os.fsync(handle.fileno())
    metadata_path(output.final).unlink(missing_ok=True)
    output.temporary.replace(output.final)


def _with_final_paths(message: str, outputs: Sequence[_Output]) -> str:
    for output in outputs:
        message = message.replace(str(output.temporary), str(output.final))
    return message
