"""The table of sessions: what became of each one in the partition stage."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from neds.errors import UserError
from neds.files.aligned import AlignedSession, read_aligned
from neds.files.atomic import write_csv
from neds.files.roles import InputFiles, OutputFile
from neds.partition.same_trials import shared_trials
from neds.words import counted


def write_sessions_table(*, aligned: InputFiles, roles: dict[str, str], output: OutputFile) -> None:
    """List all sessions: what was kept, what was dropped and why, and which cannot be used.

    Args:
        aligned: aligned session files, in the order of the rows.
        roles: role of each session, by EID.
        output: CSV to write.

    Raises:
        UserError: a file is missing, damaged, or of another format.
    """
    write_csv(output, sessions_table(aligned, roles))


def sessions_table(aligned: Sequence[Path], roles: dict[str, str]) -> pd.DataFrame:
    """One row per aligned file: identity, trials and units kept and dropped, why one is unusable, remarks and readings.

    Args:
        aligned: the files, in the order of the rows.
        roles: EID -> role.

    Raises:
        UserError: a file is missing, damaged, or of another format; or a session of role test holds trials of one of
        role train.
    """
    sessions = [read_aligned(path, with_values=False) for path in aligned]
    _refuse_tested_in_training(sessions, roles)
    return pd.DataFrame([_row(session, roles[session.eid]) for session in sessions])


def _row(session: AlignedSession, role: str) -> dict[str, object]:
    return {
        "eid": session.eid,
        "subject": session.subject,
        "lab": session.lab,
        "role": role,
        "n_trials": session.n_trials,
        "n_train": len(session.trials_of("train")),
        "n_val": len(session.trials_of("val")),
        "n_test": len(session.trials_of("test")),
        "n_trials_before": session.n_trials_before,
        "dropped": _dropped(session, "trials: "),
        "units": session.n_units,
        "units_dropped": _dropped(session, "units: "),
        "usable": session.usable,
        "why_not": session.reason,
        "remarks": "; ".join(session.remarks),
        "readings": "; ".join(session.readings),
    }


def _refuse_tested_in_training(sessions: list[AlignedSession], roles: dict[str, str]) -> None:
    allowed = {session.eid for session in sessions if session.settings.get("overlap") == "allow"}
    for first, second, number, alike in shared_trials(sessions):
        if roles[first] != roles[second] and not {first, second} <= allowed:
            raise UserError(
                f"sessions {first} and {second} share {counted(number, 'trial')} ({alike}), and one is for training and "
                "the other for testing; take one off the sessions sheet, or set partition.overlap: allow"
            )


def _dropped(session: AlignedSession, prefix: str) -> str:
    """The reasons that begin with `prefix`, as "reason: n; reason: n"."""
    counts = {key.removeprefix(prefix): n for key, n in session.dropped.items() if key.startswith(prefix)}
    return "; ".join(f"{reason}: {n}" for reason, n in counts.items())
