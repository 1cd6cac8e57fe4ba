"""`neds benchmark-sheet`: from a folder of BrainWideBench's files, here or on a server, to a sessions sheet."""

import os
from dataclasses import dataclass
from pathlib import Path

from neds.benchmark.protocol import evaluation_sessions
from neds.errors import UserError
from neds.files.addresses import is_address, misspelt_address, where_buckets_lie
from neds.files.atomic import write_text
from neds.words import counted

_FOLDERS = {"eval": "test", "pretrain": "train"}
_SUFFIX = ".h5"
_MOST_NAMES = 10


@dataclass(frozen=True)
class _File:
    eid: str
    path: str
    etag: str = ""


def write_sheet(
    *, folder: str | Path, output: Path = Path("sheet.tsv"), pretrain: bool = False, force: bool = False
) -> str:
    """Write a sessions sheet of the files of BrainWideBench, with paths relative to the sheet.

    Args:
        folder: that holds the folders eval and pretrain; or its address on a server, https:// or s3://BUCKET/PREFIX, of
            which the files are read where they lie.
        output: sheet to write.
        pretrain: list the sessions to pretrain on too, with role train.
        force: replace the sheet if it exists.

    Returns:
        What was found.

    Raises:
        UserError: no files, an evaluation session among those to pretrain on, a sheet that exists, or a server that does
            not list the files.
    """
    if output.exists() and not force:
        raise UserError(f"{output} exists; name another file with --output, or add --force to replace it")
    where = str(folder)
    if fault := misspelt_address(where):
        raise UserError(fault)
    found = {
        role: _files(where, name, relative_to=output.parent)
        for name, role in _FOLDERS.items()
        if pretrain or role == "test"
    }
    if not found["test"]:
        told = _told_of(where) if is_address(where) else ""
        raise UserError(f"{folder}: holds no eval/<eid>.h5{told}; name the folder that has eval and pretrain in it")
    known = evaluation_sessions()
    if leaked := [file.eid for file in found.get("train", []) if file.eid in known]:
        raise UserError(f"{folder}/pretrain: {', '.join(leaked[:3])} are evaluation sessions; move them to eval")
    # Without it the versions of files on a server are not told apart.
    with_etag = any(file.etag for files in found.values() for file in files)
    lines = ["eid\trole\tpath" + ("\tetag" if with_etag else "")]
    for role, files in found.items():
        lines += [f"{file.eid}\t{role}\t{file.path}" + (f"\t{file.etag}" if with_etag else "") for file in files]
    write_text(output, "\n".join(lines) + "\n")
    absent = known - {file.eid for file in found["test"]}
    numbers = ", ".join(f"{counted(len(files), 'session')} of role {role}" for role, files in found.items())
    return f"{output}: {numbers}" + (f"; {len(absent)} of the benchmark's {len(known)} are not there" if absent else "")


def _files(folder: str, name: str, *, relative_to: Path) -> list[_File]:
    if not is_address(folder):
        paths = sorted(Path(folder, name).glob(f"*{_SUFFIX}"))
        return [_File(path.stem, os.path.relpath(path, relative_to)) for path in paths]
    # Here, because it takes a while.
    from neds.download.listing import listed
    from neds.download.ranges import NotThere

    try:
        etags = listed(f"{folder.rstrip('/')}/{name}")
    except NotThere:
        return []
    return [_File(Path(path).stem, path, etag) for path, etag in etags.items() if path.endswith(_SUFFIX)]


def _told_of(folder: str) -> str:
    """What a folder on a server holds instead."""
    from neds.download.listing import names_in

    names = names_in(folder)
    if not names:
        return f" and nothing else{where_buckets_lie(folder)}"
    return f", but {', '.join(names[:_MOST_NAMES])}" + (" ..." if len(names) > _MOST_NAMES else "")
