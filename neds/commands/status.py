"""`neds status`: how the results of a configuration stand."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tabulate import tabulate

from neds.config import load_config
from neds.config.show import SHIPPED
from neds.errors import UserError
from neds.plan.opened import OpenedPlan
from neds.plan.status import OTHERS, STAGES, JobState, job_states, running_workflow, states_as_json
from neds.words import counted

_MOST_LINES = 20
_ALL = "all sessions"


def open_plan(configfile: Sequence[Path]) -> OpenedPlan:
    """The plan of the shipped configuration with those of the user over it.

    Raises:
        UserError: the configuration cannot be used.
    """
    try:
        loaded = load_config([*([SHIPPED] if SHIPPED.exists() else []), *configfile])
    except UserError as error:
        raise UserError(f"the configuration cannot be used:\n{error}") from None
    return OpenedPlan(loaded, is_main=True)


def show_status(*, configfile: Sequence[Path] = (), as_json: bool = False) -> str:
    """How the results of a configuration stand: a row per session and a column per stage, then what is stale or failed, and
    why. Nothing is run or changed.

    Args:
        configfile: your configurations, as for snakemake.
        as_json: print JSON, for programs: every job with its state, reason and log.

    Raises:
        UserError: the configuration cannot be used.
    """
    opened = open_plan(configfile)
    states = job_states(opened)
    if as_json:
        return states_as_json(states, results=opened.plan.results)
    return "\n".join([_table(opened, states), *_heading(opened), *_details(states)])


def _heading(opened: OpenedPlan) -> Iterator[str]:
    if workflow := running_workflow(Path(opened.plan.results)):
        yield f"a workflow is at work here: process {workflow['pid']} on {workflow['host']}"


def _table(opened: OpenedPlan, states: list[JobState]) -> str:
    stages = [stage for stage in (*STAGES, OTHERS) if any(state.stage == stage for state in states)]
    roles = {session.eid: session.role for session in opened.plan.sessions}
    rows = []
    for session in [*roles, ""]:
        of_session = [state for state in states if state.session == session]
        cells = [_cell([state for state in of_session if state.stage == stage]) for stage in stages]
        rows.append([session or _ALL, roles.get(session, ""), *cells])
    return tabulate(rows, headers=["session", "role", *stages], tablefmt="simple", disable_numparse=True)


def _cell(states: list[JobState]) -> str:
    """E.g. "done", "2 failed, 1 to do" or "3 done, 1 stale"."""
    numbers = Counter(state.state for state in states if state.state != "not needed")
    if set(numbers) <= {"done"}:
        return "done" if states else "-"
    return ", ".join(f"{number} {state}" for state, number in numbers.items())


def _details(states: list[JobState]) -> Iterator[str]:
    running = [state for state in states if state.state == "running"]
    failed = [state for state in states if state.state == "failed"]
    stale = Counter((state.rule, state.why) for state in states if state.state == "stale")
    if running:
        yield "running:"
        yield from _cut([f"  {state.title} (log: {state.log})" for state in running])
    if failed:
        yield "failed:"
        yield from _cut([f"  {state.title}\n      {state.why}\n      log: {state.log}" for state in failed])
    if stale:
        yield "to be made again:"
        yield from _cut([f"  {rule} ({number}): {why}" for (rule, why), number in stale.items()])
    left = sum(state.state in ("stale", "failed", "to do") for state in states)
    yield f"{counted(left, 'job')} to do: start snakemake" if left else "everything is made and current"


def _cut(lines: list[str]) -> list[str]:
    return lines if len(lines) <= _MOST_LINES else [*lines[:_MOST_LINES], f"  and {len(lines) - _MOST_LINES} more"]
