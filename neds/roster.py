"""Which sessions the workflow works on: the sessions sheet, or the generated list of the synthetic source."""

import re
import uuid
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from neds.errors import UserError

ROLES = ("train", "test")
_FILE_SAFE = re.compile(r"[A-Za-z0-9_-]+")
_SYNTHETIC_IDS = uuid.UUID("6e656473-0000-4000-8000-73796e746865")


@dataclass(frozen=True)
class Session:
    """One line of the roster. `path` locates the recording within its source and is empty where the EID does."""

    eid: str
    role: str
    path: str = ""


def synthetic_sessions(n_train: int, n_test: int, seed: int) -> list[Session]:
    """The generated roster: role train first. EIDs are UUIDs made from the session's path and the seed."""
    sessions = []
    for index in range(n_train + n_test):
        path = f"synthetic/Subjects/SYN{index + 1:03d}/2024-01-{index % 28 + 1:02d}/{index // 28 + 1:03d}"
        eid = str(uuid.uuid3(_SYNTHETIC_IDS, f"{seed}/{path}"))
        sessions.append(Session(eid=eid, role=ROLES[index >= n_train], path=path))
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
