"""A session of a local ALF folder, through ONE's local mode. The folder is only read."""

import datetime
import re
import tempfile
import uuid
from itertools import islice
from pathlib import Path

import pandas as pd
from iblutil.io import parquet
from one.alf.cache import DATASETS_COLUMNS, SESSIONS_COLUMNS
from one.alf.path import ALFPath
from one.api import One

from neds.download.loaders import load_session
from neds.download.settings import DownloadSettings
from neds.errors import UserError
from neds.files.raw import RawSession

_SESSION_PATH = re.compile(r"(\w+)/Subjects/([\w.-]+)/(\d{4}-\d{2}-\d{2})/(\d{3})")
_SESSION_GLOB = ("*", "Subjects", "*", "????-??-??", "[0-9][0-9][0-9]")
_LOCAL_IDS = uuid.UUID("6e656473-0000-4000-8000-6c6f63616c00")


def load_local(*, alf_root: Path, session_path: str, eid: str, settings: DownloadSettings) -> RawSession:
    """Load one session of an ALF folder.

    Args:
        alf_root: folder that holds lab/Subjects/...
        session_path: the session's folder within it, lab/Subjects/subject/YYYY-MM-DD/NNN.
        eid: the id to store.

    Raises:
        UserError: no such folder, a session without trials, or a damaged file.
    """
    one, one_eid = open_local(alf_root=alf_root, session_path=session_path, eid=eid)
    return load_session(one, one_eid=one_eid, eid=eid, source="alf", settings=settings)


def open_local(*, alf_root: Path, session_path: str, eid: str) -> tuple[One, str]:
    """An instance of ONE that knows one session of an ALF folder, and the session's id within it; else as `load_local`.

    Raises:
        UserError: no such folder.
    """
    root = Path(alf_root).absolute()
    if not root.is_dir():
        raise UserError(
            f"{alf_root}: no such folder; download.alf_root must name the folder that holds lab/Subjects/..."
        )
    matched = _SESSION_PATH.fullmatch(session_path.strip("/"))
    if not matched:
        raise UserError(
            f"session {eid}: path {session_path!r} is not of the form lab/Subjects/subject/YYYY-MM-DD/NNN"
            f"{_nearby(root, session_path)}"
        )
    folder = ALFPath(root, matched[0])
    if not folder.is_dir():
        raise UserError(f"session {eid}: {folder}: no such folder{_nearby(root, matched[0])}")
    # ONE's own ids are random and must be UUIDs of version 3 or 4, which the user's need not be.
    one_eid = str(uuid.uuid3(_LOCAL_IDS, matched[0]))
    # Tables in the ALF folder itself would need write access, grow stale, and be shared by parallel jobs.
    with tempfile.TemporaryDirectory(prefix="neds-one-") as tables:
        _write_tables(Path(tables), folder, one_eid=one_eid, parts=matched.groups())
        one = One(cache_dir=root, tables_dir=tables, mode="local")
    return one, one_eid


def _write_tables(tables: Path, folder: ALFPath, *, one_eid: str, parts: tuple[str, ...]) -> None:
    lab, subject, date, number = parts
    session = {
        "id": one_eid,
        "lab": lab,
        "subject": subject,
        "date": datetime.date.fromisoformat(date),
        "number": int(number),
        "task_protocol": "",
        "projects": "",
    }
    datasets = []
    for file in folder.iter_datasets(recursive=True):
        relative = file.relative_to(folder).as_posix()
        datasets.append(
            {
                "eid": one_eid,
                "id": str(uuid.uuid3(uuid.UUID(one_eid), relative)),
                "rel_path": relative,
                "file_size": file.stat().st_size,
                "hash": None,
                "exists": True,
                "qc": "NOT_SET",
            }
        )
    metadata = {"date_created": datetime.datetime.now().isoformat(sep=" ", timespec="minutes"), "origin": "local"}
    sessions_table = pd.DataFrame([session], columns=list(SESSIONS_COLUMNS)).astype(SESSIONS_COLUMNS)
    datasets_table = pd.DataFrame(datasets, columns=list(DATASETS_COLUMNS)).astype(DATASETS_COLUMNS)
    datasets_table["default_revision"] = _is_newest_revision(datasets_table["rel_path"])
    parquet.save(tables / "sessions.pqt", sessions_table.set_index("id"), metadata)
    parquet.save(tables / "datasets.pqt", datasets_table.set_index(["eid", "id"]).sort_index(), metadata)


def _is_newest_revision(paths: pd.Series) -> pd.Series:
    """Whether each path is its dataset's newest: collection/name, or collection/#revision#/name with the last revision."""
    revision = paths.str.extract(r"#([^#/]+)#/", expand=False).fillna("")
    unrevised = paths.str.replace(r"#[^#/]+#/", "", regex=True)
    return revision == revision.groupby(unrevised).transform("max")


def _nearby(root: Path, session_path: str) -> str:
    """A clause that names up to three existing sessions, those under the longest existing part of the path first."""
    parts = session_path.strip("/").split("/")
    for depth in range(len(_SESSION_GLOB) - 1, -1, -1):
        start = root.joinpath(*parts[:depth])
        found = start.glob("/".join(_SESSION_GLOB[depth:])) if start.is_dir() else ()
        names = sorted(path.relative_to(root).as_posix() for path in islice(found, 3))
        if names:
            return f"; correct the path column of the sessions sheet (there are, for example, {', '.join(names)})"
    return f"; {root} holds no sessions, check download.alf_root"
