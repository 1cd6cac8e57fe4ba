"""What the user reads at the end of a run that went through: which sessions are in it, and what was remarked of them."""

import csv
from collections.abc import Mapping
from pathlib import Path

_MOST_SESSIONS = 10
_MOST_CHARACTERS = 300


def sessions_lines(table: Path) -> list[str]:
    """How many sessions are usable, the others with their reason, and what was remarked of those in use; none
    without the table.
    """
    sessions = _read(table)
    if not sessions:
        return []
    unusable = [session for session in sessions if not _is_usable(session)]
    remarked = [session for session in sessions if _is_usable(session) and session.get("remarks")]
    lines = [f"Sessions: {len(sessions) - len(unusable)} of {len(sessions)} usable ({table})"]
    lines += [f"  left out: {session['eid']} ({session['role']}): {session['why_not']}" for session in unusable][
        :_MOST_SESSIONS
    ]
    if len(unusable) > _MOST_SESSIONS:
        lines.append(f"  and {len(unusable) - _MOST_SESSIONS} more")
    if remarked:
        lines.append(f"Remarks on {len(remarked)} of them (column `remarks`):")
        lines += [f"  {session['eid']}: {_short(session['remarks'])}" for session in remarked[:_MOST_SESSIONS]]
        if len(remarked) > _MOST_SESSIONS:
            lines.append(f"  and {len(remarked) - _MOST_SESSIONS} more")
    return lines


def nothing_usable(table: Path) -> str:
    """Why a run that went through has no scores; empty where it has some, or where sessions are not listed yet."""
    sessions = _read(table)
    if not sessions or any(_is_usable(session) for session in sessions if session["role"] == "test"):
        return ""
    who = "no session" if not any(map(_is_usable, sessions)) else "no session of role test"
    return f"{who} can be used, so there are no scores; {table} says why, session by session"


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} ..."


def _is_usable(session: Mapping[str, str]) -> bool:
    return session["usable"] == "True"


def _read(table: Path) -> list[dict[str, str]]:
    if not table.is_file():
        return []
    with open(table, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))
