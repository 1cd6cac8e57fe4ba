"""What `neds check` finds in the files of recordings that a run would read: whether what is named is there, and how much."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from neds.commands.finding import Finding
from neds.conversion.settings import ConvertRun
from neds.errors import UserError
from neds.partition.settings import ArrayRun
from neds.plan.plan import Plan
from neds.plan.step import Step
from neds.words import counted

_MOST_LINES = 20
RULES = ("convert", "import_arrays")
"""Of the jobs that read files of a source whose names the configuration says."""


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
    faults, lacks, holds = _converted(plan, step) if step.rule == "convert" else _imported(step)
    findings = [Finding("file", "missing", fault) for fault in faults]
    findings += [Finding("file", "note", f"{lack} (the session would be left out)") for lack in lacks]
    return findings or [Finding("file", "fine", f"{next(iter(step.read))}: {holds}")]


def _converted(plan: Plan, step: Step) -> tuple[list[str], list[str], str]:
    """What would stop the workflow, what would make the session unusable, and what there is."""
    # Here, because other sources need none of the readers.
    from neds.conversion.look import look_into

    look = look_into(
        Path(step.inputs["file"][0]),
        format=step.values["format"],
        settings=ConvertRun.model_validate(step.values["settings"]),
        cuttings=plan.config.cuttings(),
        linked=[Path(path) for path in step.inputs.get("linked", ())],
    )
    return look.faults, look.lacks, look.holds


def _imported(step: Step) -> tuple[list[str], list[str], str]:
    from neds.partition.arrays import imported

    path = Path(step.inputs["arrays"][0])
    try:
        session = imported(path, eid=step.values["eid"], settings=ArrayRun.model_validate(step.values["settings"]))
    except UserError as error:
        return str(error).splitlines(), [], ""
    if not session.usable:
        return [], [f"{path}: {session.reason}"], ""
    kept = f"{len(session.split)} of {counted(session.n_trials_before, 'trial')} kept"
    remarks = [remark for remark in session.remarks if remark.startswith("keys ")]
    return [], [], "; ".join([f"{counted(session.n_units, 'unit')}, {kept}", *session.readings, *remarks])
