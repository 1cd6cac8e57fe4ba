"""The table of sessions: what became of each one in the partition stage."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from neds.errors import UserError
from neds.evaluation.settings import HeldOut
from neds.evaluation.unit_tasks import held_out_units
from neds.files.aligned import AlignedSession, read_aligned
from neds.files.atomic import write_csv
from neds.files.roles import InputFiles, OutputFile
from neds.partition.same_trials import shared_trials
from neds.words import counted


def write_sessions_table(
    *, aligned: InputFiles, roles: dict[str, str], held_out: HeldOut | None = None, output: OutputFile
) -> None:
    """List all sessions: what was kept, what was dropped and why, and which cannot be used.

    Args:
        aligned: aligned session files, in the order of the rows.
        roles: role of each session, by EID.
        held_out: column or uuids of the units that co-smoothing holds out, where they are named.
        output: CSV to write.

    Raises:
        UserError: as for `sessions_table`.
    """
    write_csv(output, sessions_table(aligned, roles, held_out))


def sessions_table(aligned: Sequence[Path], roles: dict[str, str], held_out: HeldOut | None = None) -> pd.DataFrame:
    """One row per aligned file: identity, trials and units kept and dropped, why one is unusable, remarks and readings.

    Args:
        aligned: the files, in the order of the rows.
        roles: EID -> role.
        held_out: names the units that co-smoothing holds out, which sessions of role test must have; None for a draw.

    Raises:
        UserError: a file is missing, damaged, or of another format; a session of role test holds trials of one of role
        train; or the units that co-smoothing holds out are not there.
    """
    sessions = [read_aligned(path, with_values=False) for path in aligned]
    _refuse_tested_in_training(sessions, roles)
    rows = pd.DataFrame([_row(session, roles[session.eid]) for session in sessions])
    if held_out:
        tested = [session for session in sessions if session.usable and roles[session.eid] == "test"]
        for eid, remark in _of_held_out(tested, held_out).items():
            of_session = rows["eid"] == eid
            rows.loc[of_session, "remarks"] = [
                f"{told}; {remark}".strip("; ") for told in rows.loc[of_session, "remarks"]
            ]
    return rows


def _of_held_out(tested: list[AlignedSession], rule: HeldOut) -> dict[str, str]:
    """How many units of each session co-smoothing holds out, by EID.

    Raises:
        UserError: a session has no such column, or none has a unit of the list.
    """
    known = {uuid for session in tested for uuid in session.units["uuid"]}
    absent = [uuid for uuid in rule.uuids if uuid not in known]
    if tested and rule.uuids and len(absent) == len(rule.uuids):
        raise UserError(
            f"config key evaluation.held_out_uuids: no session of role test has a unit {absent[0]}"
            f"{f', or another of the {len(absent)}' if len(absent) > 1 else ''}, after its partition; correct them, e.g. "
            f"session {tested[0].eid} has {', '.join(tested[0].units['uuid'][:2])}"
        )
    lacking = (
        f" (of {counted(len(rule.uuids), 'UUID')} in held_out_uuids no test session has {len(absent)})"
        if absent
        else ""
    )
    remarks = {}
    for session in tested:
        n_held_out = len(held_out_units(session, rule))
        held_out = f"co-smoothing holds out {n_held_out} of its {counted(session.n_units, 'unit')}"
        nothing = "no co-smoothing, as none or all of its units are held out"
        remarks[session.eid] = f"{held_out if n_held_out else nothing}{lacking}"
    return remarks


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
