"""What the user reads at the end of a run that went through: sessions, remarks on them, scores, and where to look."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

_MOST_SESSIONS = 10
_MOST_CHARACTERS = 300


def sessions_lines(table: Path) -> list[str]:
    """How many sessions are usable, the others with their reason, and what was remarked of those in use; none
    without the table.
    """
    sessions = csv_rows(table)
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


@dataclass(frozen=True)
class ScoresTable:
    """Scores of all models, a row each, mean ± standard error over test sessions.

    Attributes:
        headings: "model", then target and metric of each column, e.g. "choice: balanced accuracy".
        rows: texts, the model's name first; "-" where it has no such score.
        n: number of test sessions, e.g. "2" or "1 to 2".
        absent: headings of the scores that no model has in any of them.
    """

    headings: list[str]
    rows: list[list[str]]
    n: str
    absent: list[str]


def scores_table(table: Path) -> ScoresTable | None:
    """The main scores; None without the table, or without a score in it.

    Args:
        table: that of the benchmark, CSV (`neds.tables.benchmark`).
    """
    models = csv_rows(table)
    scores = [column for column in models[0] if f"{column}, n" in models[0]] if models else []
    # Of categorical targets balanced accuracy is enough.
    main = [column for column in scores if not column.endswith(": accuracy")]
    shown = [column for column in main if any(model[column] for model in models)]
    if not shown:
        return None
    ns = sorted({int(float(model[f"{column}, n"])) for model in models for column in shown if model[column]})
    rows = [[model["model"], *(_score(model, column) for column in shown)] for model in models]
    absent = [column for column in main if column not in shown]
    return ScoresTable(["model", *shown], rows, f"{ns[0]}" if len(ns) == 1 else f"{ns[0]} to {ns[-1]}", absent)


def scores_lines(table: Path) -> list[str]:
    """The main scores as a small table of text; none without the table."""
    found = scores_table(table)
    if found is None:
        return []
    headings = [heading.replace(": ", "\n") for heading in found.headings]
    text = tabulate(found.rows, headers=headings, tablefmt="simple", disable_numparse=True)
    lines = [f"Scores in test trials (mean ± s.e.m. over test sessions, n = {found.n}):", *text.splitlines()]
    return lines + ([f"Without a score in any test session: {', '.join(found.absent)}"] if found.absent else [])


def where_to_look(results: Path) -> list[str]:
    """Where the results are, of those that there are."""
    known = {
        "Figures": results / "figures",
        "All scores": results / "tables" / "metrics.csv",
        "Left out, and why": results / "figures" / "left_out.txt",
        "What each job said": results / "logs",
    }
    return [f"{what}: {path}" for what, path in known.items() if path.exists()]


def _score(model: Mapping[str, str], column: str) -> str:
    mean, error = model[column], model.get(f"{column}, s.e.m.", "")
    if not mean:
        return "-"
    return f"{float(mean):.2f} ± {float(error):.2f}" if error else f"{float(mean):.2f}"


def nothing_usable(table: Path) -> str:
    """Why a run that went through has no scores; empty where it has some, or where sessions are not listed yet."""
    sessions = csv_rows(table)
    if not sessions or any(_is_usable(session) for session in sessions if session["role"] == "test"):
        return ""
    who = "no session" if not any(map(_is_usable, sessions)) else "no session of role test"
    return f"{who} can be used, so there are no scores; {table} says why, session by session"


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} ..."


def _is_usable(session: Mapping[str, str]) -> bool:
    return session["usable"] == "True"


def csv_rows(table: Path) -> list[dict[str, str]]:
    """The rows of a table, read without pandas; none where it is not there."""
    if not table.is_file():
        return []
    with open(table, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))
