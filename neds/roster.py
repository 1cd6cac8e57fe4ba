"""Which sessions the workflow works on: the sessions sheet, or the generated list of the synthetic source."""

import csv
import filecmp
import hashlib
import re
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from neds.conversion.settings import MAPPINGS
from neds.files.addresses import address_fault, is_address, misspelt_address
from neds.partition.views import in_view
from neds.settings import path_fault
from neds.synthetic.settings import MOST_TRAIN_SESSIONS, SyntheticSettings, synthetic_subject

ROLES = ("train", "test")
SOURCES = ("synthetic", "alf", "one", "aligned", *MAPPINGS)
"""The last are formats of other projects, which need a mapping."""
if TYPE_CHECKING:
    SourceName = str
else:
    SourceName = Literal[*SOURCES]
_FILE_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_END = 65536
"""Bytes of either end of a file by which copies are suspected."""
_SYNTHETIC_IDS = uuid.UUID("6e656473-0000-4000-8000-73796e746865")


@dataclass(frozen=True)
class Session:
    """One line of the roster.

    `path` locates the recording within its source and is empty where the EID does. Of an address, `etag` is the mark that
    the server must give the file, empty for any. `linked` are further files that the recording's own may have links to;
    `index` is the number of a generated session within its data set. Of a session that is one view of a recording the EID
    ends with `_<view>`.
    """

    eid: str
    role: str
    path: str = ""
    etag: str = ""
    linked: tuple[str, ...] = ()
    index: int = 0
    view: str = ""

    @property
    def recording(self) -> str:
        """The EID without the view."""
        return self.eid.removesuffix(f"_{self.view}") if self.view else self.eid


def in_views(sessions: Iterable[Session], views: Iterable[str]) -> list[Session]:
    """Every session once for each view, those of a session after one another; as they are where there is no view."""
    names = list(views)
    if not names:
        return list(sessions)
    return [replace(session, eid=in_view(session.eid, view), view=view) for session in sessions for view in names]


def synthetic_sessions(settings: SyntheticSettings) -> list[Session]:
    """The generated roster, role train first. EIDs are UUIDs made from the data set's seed and the session's path."""
    sessions = []
    for index in settings.indices():
        path = f"synthetic/Subjects/{synthetic_subject(index)}/2024-01-01/001"
        eid = str(uuid.uuid3(_SYNTHETIC_IDS, f"{settings.seed}/{path}"))
        sessions.append(Session(eid=eid, role=ROLES[index >= MOST_TRAIN_SESSIONS], path=path, index=index))
    return sessions


def read_sheet(path: Path, *, source: str) -> tuple[list[Session], list[str]]:
    """Read a tab-separated sessions sheet with columns eid, role and, for local sources, path. Lines that begin with # are
    comments.

    `path` is, for source alf, the session folder relative to the ALF root (lab/Subjects/subject/date/number) and, for
    the other local sources, the session's file, relative to the sheet, or of some sources its address on a server, whose
    version an optional column `etag` tells. An optional column `linked`, of source nwb, names the files to which links in
    that file may lead, likewise, with semicolons between them.

    Returns:
        The sessions, as far as they can be read, and every fault of the sheet, one line each.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return [], [f"{path}: no such sessions sheet; name a tab-separated file under the config key `sessions`"]
    except (OSError, UnicodeDecodeError) as error:
        return [], [f"{path}: no readable text file ({error}); save the sessions sheet as tab-separated text in UTF-8"]
    header, *table = list(csv.reader((line for line in lines if line.strip() and line[0] != "#"), delimiter="\t")) or [
        []
    ]
    needed = ["eid", "role"] + (["path"] if source in ("alf", "aligned", *MAPPINGS) else [])
    missing = [column for column in needed if column not in header]
    if missing:
        return [], [f"{path}: no column {', '.join(missing)} (columns must be separated by tabs)"]
    read = [*needed, "linked", "etag"]
    faulty = [column for column in read if sum(column == name.strip().lower() for name in header) > (column in header)]
    faulty += [column for column in read if header.count(column) > 1]
    if faulty:
        return [], [f"{path}: {', '.join(dict.fromkeys(faulty))} must be one column, written so, in small letters"]
    sessions, faults = [], []
    for number, cells in enumerate(table, start=1):
        row = dict.fromkeys(header, "") | dict(zip(header, (cell.strip() for cell in cells), strict=False))
        linked = tuple(part for text in row.get("linked", "").split(";") if (part := text.strip()))
        session = Session(
            eid=row["eid"], role=row["role"], path=row.get("path", ""), etag=row.get("etag", ""), linked=linked
        )
        sessions.append(session)
        faults += [f"{path}, session {number}: {fault}" for fault in _faults(session, source, "path" in needed)]
    if not sessions:
        return [], [f"{path}: lists no session below its header; write a line for each"]
    counts = Counter(session.eid for session in sessions)
    faults += [f"{path}: session {eid} stands in it twice" for eid, n in counts.items() if n > 1]
    return sessions, faults + (_same_recordings(sessions, path, source) if "path" in needed else [])


def _same_recordings(sessions: list[Session], sheet: Path, source: str) -> list[str]:
    """A fault for each recording that is listed under two EIDs: it would train the models that it tests."""
    listed: dict[object, tuple[Session, Path]] = {}
    faults = []
    for session in sessions:
        if not session.path:
            continue
        # Of what is on a server the address alone is compared; nothing is asked for while the sheet is read.
        is_told = source == "alf" or is_address(session.path)
        path = Path(session.path.strip("/")) if is_told else sheet.parent / session.path
        for mark in (path,) if is_told else _marks(path):
            first, there = listed.setdefault(mark, (session, path))
            if first is not session and (is_told or filecmp.cmp(there, path, shallow=False)):
                how = f"are one recording ({session.path})"
                faults.append(f"{sheet}: sessions {first.eid} and {session.eid} {how}; list it once")
                break
    return faults


def _marks(path: Path) -> list[object]:
    """What is the same for all names of a file, links too, and what is likely the same of copies alone."""
    try:
        status = path.stat()
        with open(path, "rb") as handle:
            ends = handle.read(_END)
            handle.seek(max(status.st_size - _END, 0))
            ends += handle.read(_END)
    except (OSError, ValueError):
        return []
    return [(status.st_dev, status.st_ino), (status.st_size, hashlib.sha256(ends).digest())]


def _faults(session: Session, source: str, needs_path: bool) -> list[str]:
    faults = []
    if source in ("one", "alf") and not _is_uuid(session.eid):
        faults.append(f"eid {session.eid!r} is no UUID")
    elif not _FILE_SAFE.fullmatch(session.eid):
        faults.append(f"eid {session.eid!r} may hold letters, digits, - and _ only, and may not begin with -")
    if session.role not in ROLES:
        faults.append(f"role {session.role!r} must be one of {', '.join(ROLES)}")
    if needs_path and not session.path:
        faults.append("path is empty")
    if needs_path and (fault := path_fault(session.path)):
        faults.append(f"path {fault}")
    if needs_path and (fault := misspelt_address(session.path)):
        faults.append(f"path {fault}")
    if needs_path and is_address(session.path):
        faults += _address_faults(session, source)
    elif session.etag:
        faults.append("etag is for a path that is an address; leave it empty")
    if session.linked and source != "nwb":
        faults.append("linked is for source nwb, whose files may have links; leave it empty")
    faults += [f"linked {fault}" for path in session.linked if (fault := path_fault(path))]
    return faults


def _address_faults(session: Session, source: str) -> list[str]:
    if source not in MAPPINGS or not MAPPINGS[source].reads_addresses:
        return [f"path {session.path}: files of source {source} are read from this computer only; download it"]
    fault = address_fault(session.path)
    faults = [f"path {fault}"] if fault else []
    if session.linked:
        faults.append("linked is for files on this computer; download all of the session's")
    return faults


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
