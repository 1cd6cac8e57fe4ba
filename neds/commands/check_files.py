"""What `neds check` finds in the files of recordings that a run would read: whether what is named is there, and how much."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from neds.commands.finding import Finding
from neds.conversion.settings import ConvertRun
from neds.download.settings import DownloadSettings
from neds.errors import UserError
from neds.evaluation.settings import HeldOut
from neds.evaluation.unit_tasks import held_out_units
from neds.files.aligned import AlignedSession
from neds.modalities import Modality
from neds.model.known import bins_fault
from neds.partition.outlook import Outlook, percent, share_known
from neds.partition.settings import ArrayRun
from neds.plan.evaluation import held_out_by_name
from neds.plan.plan import Plan
from neds.plan.step import Step
from neds.words import counted

_MOST_LINES = 20


def look_into_files(plan: Plan, steps: Sequence[Step], *, only_first: bool) -> list[Finding]:
    """Open the recordings that jobs would read.

    Args:
        steps: jobs of `RULES` that would run.
        only_first: look at the first alone.
    """
    looked_at = steps[:1] if only_first else steps
    found = [finding for step in looked_at for finding in _looked_into(plan, step)]
    lines = [line for state in ("missing", "note", "fine") for line in _shortened(found, state)]
    if len(looked_at) < len(steps):
        more = f"{counted(len(steps) - len(looked_at), 'more file')} not opened (--files first)"
        lines.append(Finding("file", "note", more))
    return lines


def _shortened(findings: Iterable[Finding], state: str) -> list[Finding]:
    lines = [finding for finding in findings if finding.state == state]
    rest = len(lines) - _MOST_LINES
    more = [Finding("file", lines[0].state, f"and {rest} more such lines")] if rest > 0 else []
    return [*lines[:_MOST_LINES], *more]


def _looked_into(plan: Plan, step: Step) -> list[Finding]:
    look = _LOOKS[step.rule](plan, step)
    faults = look.faults or _held_out_faults(plan, step.values["eid"], look.units)
    findings = [Finding("file", "missing", fault) for fault in faults]
    findings += [Finding("file", "note", f"{lack} (the session would be left out)") for lack in look.lacks]
    path = step.values.get("session_path") or next(iter(step.read))
    return findings or [Finding("file", "fine", f"{path}: {look}")]


def _held_out_faults(plan: Plan, eid: str, units: pd.DataFrame | None) -> list[str]:
    """Why the column of held-out units does not fit a recording of role test, in a line; none where it does."""
    named = held_out_by_name(plan).get("held_out", {})
    if units is None or not named.get("column") or eid not in map(plan.recording, plan.test):
        return []
    session = AlignedSession(
        eid=eid, subject="", lab="", bin_s=1.0, window_start_s=0.0, modalities={}, n_trials_before=0, units=units
    )
    try:
        held_out_units(session, HeldOut.model_validate(named))
    except UserError as error:
        return str(error).splitlines()
    return []


def _converted(plan: Plan, step: Step) -> Outlook:
    # Here, because other sources need none of the readers.
    from neds.conversion.look import look_into

    return look_into(
        Path(step.inputs["file"][0]),
        format=step.values["format"],
        settings=ConvertRun.model_validate(step.values["settings"]),
        modalities=_modalities(plan),
        cuttings=plan.config.cuttings(),
        linked=[Path(path) for path in step.inputs.get("linked", ())],
    )


def _downloaded(plan: Plan, step: Step) -> Outlook:
    # Here, because ONE and ibllib take seconds to import.
    from neds.download.look import look_into

    return look_into(
        Path(plan.config.download.alf_root or "."),
        session_path=step.values["session_path"],
        eid=step.values["eid"],
        settings=DownloadSettings.model_validate(step.values["settings"]),
        modalities=_modalities(plan),
        cuttings=plan.config.cuttings(),
    )


def _modalities(plan: Plan) -> dict[str, dict[str, Modality]]:
    return {
        view: {name: plan.modalities[name] for name in plan.config.modalities_of(view)}
        for view in plan.config.cuttings()
    }


def _imported(plan: Plan, step: Step) -> Outlook:
    from neds.partition.arrays import imported

    path = Path(step.inputs["arrays"][0])
    try:
        session = imported(path, eid=step.values["eid"], settings=ArrayRun.model_validate(step.values["settings"]))
    except UserError as error:
        return Outlook(faults=str(error).splitlines())
    if not session.usable:
        return Outlook(lacks=[f"{path}: {session.reason}"])
    model = plan.shared if step.values["eid"] in plan.test else None
    if model and (fault := bins_fault([model], model.n_bins, model.n_context, session)):
        return Outlook(faults=[f"{path}: {fault} (`pretrained`); cut the arrays as that"])
    holds = [counted(session.n_units, "unit")]
    if "spikes" in session.values:
        holds.append(counted(int(session.values["spikes"].sum(dtype=np.int64)), "spike"))
    holds.append(f"{len(session.split)} of {counted(session.n_trials_before, 'trial')} kept")
    holds += [
        f"{name} {percent(share_known(session.values[name]))} known"
        for name, modality in session.modalities.items()
        if modality.kind != "counts"
    ]
    remarks = [remark for remark in session.remarks if remark.startswith("keys ")]
    return Outlook(holds=holds, readings=[*session.readings, *remarks], units=session.units)


_LOOKS: dict[str, Callable[[Plan, Step], Outlook]] = {
    "convert": _converted,
    "download_alf": _downloaded,
    "import_arrays": _imported,
}
RULES = tuple(_LOOKS)
"""Of the jobs that read files of the user's."""
