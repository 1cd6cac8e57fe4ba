"""Which sessions the workflow works on: the sessions sheet, or the generated list of the synthetic source."""

import re
import uuid
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from neds.errors import UserError
from neds.synthetic.settings import MOST_TRAIN_SESSIONS, SyntheticSettings, synthetic_subject

ROLES = ("train", "test")
_FILE_SAFE = re.compile(r"[A-Za-z0-9_-]+")
_SYNTHETIC_IDS = uuid.UUID("6e656473-0000-4000-8000-73796e746865")


@dataclass(frozen=True)
class Session:
    """One line of the roster.

    `path` locates the recording within its source and is empty where the EID does; `index` is the number of a generated
    session within its data set.
    """

    eid: str
    role: str
    path: str = ""
    index: int = 0


def synthetic_sessions(settings: SyntheticSettings) -> list[Session]:
    """The generated roster, role train first. EIDs are UUIDs made from the data set's seed and the session's path."""
    sessions = []
    for index in settings.indices():
        path = f"synthetic/Subjects/{synthetic_subject(index)}/2024-01-01/001"
        eid = str(uuid.uuid3(_SYNTHETIC_IDS, f"{settings.seed}/{path}"))
        sessions.append(Session(eid=eid, role=ROLES[index >= MOST_TRAIN_SESSIONS], path=path, index=index))
    return sessions


def read_sheet(path: Path, *, source: str) -> list[Session]:
    """Read a tab-separated sessions sheet with columns eid, role and, for local sources, path.

    `path` is, for source alf, the session folder relative to the ALF root (lab/Subjects/subject/date/number) and, for
    source aligned, the file with the arrays, relative to the sheet.

    Raises:
        UserError: every fault of the sheet, one line each.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such sessions sheet; name a tab-separated file under the config key `sessions`")
    table = pd.read_csv(path, sep="\t", dtype=str, comment="#").fillna("")
    needed = ["eid", "role"] + (["path"] if source in ("alf", "aligned") else [])
    missing = [column for column in needed if column not in table]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)} (columns must be separated by tabs)")
    faults = [f"{path}: session {eid} stands in it twice" for eid in table["eid"][table["eid"].duplicated()].unique()]
    sessions = []
    for line, row in enumerate(table.to_dict("records"), start=2):
        where = f"{path}, session {line - 1}"
        if source in ("one", "alf") and not _is_uuid(row["eid"]):
            faults.append(f"{where}: eid {row['eid']!r} is no UUID")
        elif not _FILE_SAFE.fullmatch(row["eid"]):
            faults.append(f"{where}: eid {row['eid']!r} may hold letters, digits, - and _ only")
        if row["role"] not in ROLES:
            faults.append(f"{where}: role {row['role']!r} must be one of {', '.join(ROLES)}")
        if "path" in needed and not row["path"]:
            faults.append(f"{where}: path is empty")
        sessions.append(Session(eid=row["eid"], role=row["role"], path=row.get("path", "")))
    if faults:
        raise UserError("\n".join(faults))
    return sessions


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
