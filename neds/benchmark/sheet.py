"""`neds benchmark-sheet`: from a folder of BrainWideBench's files to a sessions sheet."""

import os
from pathlib import Path

from neds.benchmark.protocol import evaluation_sessions
from neds.errors import UserError
from neds.files.atomic import write_text
from neds.words import counted

_FOLDERS = {"eval": "test", "pretrain": "train"}


def write_sheet(*, folder: Path, output: Path = Path("sheet.tsv"), pretrain: bool = False, force: bool = False) -> str:
    """Write a sessions sheet of the files of BrainWideBench, with paths relative to the sheet.

    Args:
        folder: that holds the folders eval and pretrain.
        output: sheet to write.
        pretrain: list the sessions to pretrain on too, with role train.
        force: replace the sheet if it exists.

    Returns:
        What was found.

    Raises:
        UserError: no files, an evaluation session among those to pretrain on, or a sheet that exists.
    """
    if output.exists() and not force:
        raise UserError(f"{output} exists; name another file with --output, or add --force to replace it")
    found = {
        role: sorted((folder / name).glob("*.h5")) for name, role in _FOLDERS.items() if pretrain or role == "test"
    }
    if not found["test"]:
        raise UserError(f"{folder}: holds no eval/<eid>.h5; name the folder that has eval and pretrain in it")
    known = evaluation_sessions()
    if leaked := [path.stem for path in found.get("train", []) if path.stem in known]:
        raise UserError(f"{folder}/pretrain: {', '.join(leaked[:3])} are evaluation sessions; move them to eval")
    lines = ["eid\trole\tpath"]
    for role, paths in found.items():
        lines += [f"{path.stem}\t{role}\t{os.path.relpath(path, output.parent)}" for path in paths]
    write_text(output, "\n".join(lines) + "\n")
    absent = known - {path.stem for path in found["test"]}
    numbers = ", ".join(f"{counted(len(paths), 'session')} of role {role}" for role, paths in found.items())
    return f"{output}: {numbers}" + (f"; {len(absent)} of the benchmark's {len(known)} are not there" if absent else "")
