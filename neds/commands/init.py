"""`neds init`: a configuration and a sessions sheet to begin with, as far as they can be told from the recordings."""

import os
import re
import sys
import uuid
from pathlib import Path

import pandas as pd

from neds.commands.init_names import names_of
from neds.download.sheet import assign_roles, write_sheet
from neds.errors import UserError
from neds.files.atomic import write_text
from neds.roster import SOURCES
from neds.validation import as_yaml
from neds.words import counted

TEMPLATES = Path(__file__).with_name("templates")
SUFFIXES = {"nwb": (".nwb",), "brainsets": (".h5", ".hdf5"), "aligned": (".npz", ".h5")}
"""Endings of the files of sessions, by source."""
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def write_configuration(
    *,
    source: str | None = None,
    data: Path | None = None,
    test: float = 1,
    output: Path = Path("mine.yaml"),
    force: bool = False,
) -> str:
    """Write a commented configuration, and for recordings of your own a sessions sheet of those that are found.

    Args:
        source: synthetic, alf, one, aligned, nwb or brainsets; asked for on a terminal.
        data: folder with your recordings: the ALF root, or the folder of the sessions' files; or one such file. The names in
            the first file of source nwb, brainsets or aligned that can be read are those that the configuration uses.
        test: how many of the sessions are held out, or which share (below 1).
        output: configuration to write; the sheet lies beside it, with the ending .tsv.
        force: replace the files if they exist.

    Raises:
        UserError: no known source, no recordings where they should be, two that would be called alike, or files that exist.
    """
    source = source or _asked()
    if source not in SOURCES:
        raise UserError(f"--source {source}: no such source; there are {', '.join(SOURCES)}")
    if output.suffix not in (".yaml", ".yml"):
        raise UserError(f"--output: {output}: end it on .yaml; the sheet beside it ends on .tsv")
    sheet = output.with_suffix(".tsv")
    has_sheet = source not in ("synthetic", "one")
    for path in (output, *([sheet] if has_sheet else [])):
        if path.exists() and not force:
            raise UserError(f"{path} exists; name another with --output, or add --force to replace it")
    said, n_train, names = "", 0, dict[str, str]()
    if has_sheet:
        if data is None or not (data.is_dir() or (source in SUFFIXES and data.is_file())):
            raise UserError(f"--data: name the folder with your recordings{f'; {data} is none' if data else ''}")
        sessions = _sessions(source, data, relative_to=sheet.parent)
        if source in SUFFIXES:
            # The folder of the sheet may not be there yet.
            files = [Path(os.path.normpath(sheet.parent / path)) for path in sessions["path"]]
            names, told = names_of(source, files)
            said = f"{told}\n"
        roles = assign_roles(list(sessions["eid"]), test=test, known={})
        n_train = roles.count("train")
        write_sheet(sheet, sessions, roles=roles, origin=f"sessions of source {source} in {data}, found by neds init")
        said = f"{sheet}: {counted(len(roles), 'session')}, {n_train} train and {roles.count('test')} test\n{said}"
    values = {
        "sheet": sheet,
        "results": f"results-{output.stem}",
        "data": data or "",
        "regimes": "[scratch, finetuned]" if n_train else "[scratch]",
    }
    text = (TEMPLATES / f"{source}.yaml").read_text(encoding="utf-8")
    quoted = {name: value if name == "regimes" else as_yaml(str(value)) for name, value in values.items()}
    write_text(output, text.format(**quoted, **names))
    return f"{said}{output}: written; read it, change it, then `neds check --configfile {output}` says what would run"


def _asked() -> str:
    if not sys.stdin.isatty():
        raise UserError(f"--source: name one of {', '.join(SOURCES)}")
    return input(f"Where do the recordings come from ({', '.join(SOURCES)})? ").strip()


def _sessions(source: str, data: Path, *, relative_to: Path) -> pd.DataFrame:
    """The sessions in a folder: columns eid and path."""
    if source == "alf":
        found = sorted(path.parent for path in data.glob("*/Subjects/*/*/*/alf") if path.is_dir())
        what = "no lab/Subjects/subject/date/number/alf"
        paths = [str(path.relative_to(data)) for path in found]
        # Of one session the same wherever its folder lies.
        eids = [str(uuid.uuid3(uuid.NAMESPACE_URL, path)) for path in paths]
    else:
        inside = sorted(data.rglob("*")) if data.is_dir() else [data]
        found = [path for path in inside if path.suffix in SUFFIXES[source]]
        what = f"no file that ends in {' or '.join(SUFFIXES[source])}"
        paths = [os.path.relpath(path, relative_to) for path in found]
        folder = data if data.is_dir() else data.parent
        eids = [_NO_NAME.sub("-", str(path.relative_to(folder).with_suffix(""))).strip("-") for path in found]
    if not found:
        raise UserError(f"{data}: {what} in it; name the folder with your recordings")
    for number, (path, eid) in enumerate(zip(found, eids, strict=True)):
        if not eid:
            raise UserError(f"{path}: sessions are called after their files, by letters, digits, - and _; rename it")
        if (first := eids.index(eid)) < number:
            raise UserError(f"{found[first]} and {path}: both sessions would be called {eid}; rename one of the files")
    return pd.DataFrame({"eid": eids, "path": paths})
