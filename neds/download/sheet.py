"""The sessions sheet that a search leads to."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from neds.errors import UserError
from neds.files.atomic import write_text


def assign_roles(eids: list[str], *, test: float | None, known: Mapping[str, str]) -> list[str]:
    """The role of each session, train or test.

    Args:
        test: the number of test sessions (1 or more), or their share (below 1). They are the first in the order of the hash
            of the EID, so that sessions found later take the place of few others. None: roles are those of `known`.
        known: role by EID; sessions that are not in it are train.

    Raises:
        UserError: `test` is negative, no whole number, or more than there are sessions.
    """
    if test is None:
        return [known.get(eid, "train") for eid in eids]
    number = round(test * len(eids)) if test < 1 else test
    if not 0 <= number <= len(eids) or number != int(number):
        raise UserError(
            f"--test {test:g}: give a whole number up to {len(eids)}, the sessions found, or a share below 1"
        )
    by_hash = sorted(eids, key=lambda eid: hashlib.sha256(eid.encode()).digest())
    chosen = set(by_hash[: int(number)])
    return ["test" if eid in chosen else "train" for eid in eids]


def write_sheet(path: Path, sessions: pd.DataFrame, *, roles: list[str], origin: str) -> None:
    """Write a sessions sheet: a comment that says where it comes from, then role train before test, each by EID.

    Args:
        sessions: a row each, with the column `eid`.
        origin: one line.
    """
    table = sessions.copy()
    table.insert(1, "role", roles)
    table = table.sort_values(["role", "eid"], ascending=[False, True])
    write_text(path, f"# {origin}\n" + table.to_csv(sep="\t", index=False, lineterminator="\n"))
