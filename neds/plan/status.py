"""How every job of a plan stands: done, running, to be made again and why, failed and why."""

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from neds.plan.failures import complaint
from neds.plan.lock import FILE, planned_with
from neds.plan.logs import log_of
from neds.plan.opened import OpenedPlan
from neds.plan.stale import MISSING
from neds.plan.step import Step

State = Literal["done", "running", "stale", "failed", "to do", "not needed"]
STAGES = {
    "load": ("synthesize", "download_alf", "download_one", "convert"),
    "cut": ("partition", "import_arrays"),
    "baselines": ("pretrain_baseline", "baseline", "network_baseline"),
    "tune": ("tune_pretrain", "tune_scratch", "tune_finetune"),
    "train": ("pretrain", "train_from_scratch", "finetune", "train_variant"),
    "evaluate": ("evaluate", "ensemble", "metrics_table", "ablation_metrics"),
    "regions": ("unit_embeddings", "unit_embeddings_of_pretrained", "classify_regions", "map_units"),
}
"""Rules of each stage that people tell apart; all others are figures and tables."""
OTHERS = "figures and tables"


@dataclass(frozen=True)
class JobState:
    """A job and how it stands.

    Attributes:
        session: its EID; empty where it is of no single one.
        why: the reason of what is stale or failed.
        log: path of its log, where there is one.
    """

    title: str
    rule: str
    session: str
    stage: str
    state: State
    why: str
    log: str | None


def running_workflow(results: Path) -> dict[str, object]:
    """Host and process of the workflow that writes to a folder of results; empty where none does, as far as can be told."""
    holder = planned_with(results)
    if not holder:
        return {}
    host, pid = holder.get("host"), int(holder.get("pid", 0))
    if host == platform.node():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return {}
        except PermissionError:  # somebody else's
            pass
    return {"host": host, "pid": pid}


def job_states(opened: OpenedPlan) -> list[JobState]:
    """The state of every job, in the order of the workflow."""
    opened.stale_files()
    return list(_states(opened))


def _states(opened: OpenedPlan) -> Iterator[JobState]:
    plan = opened.plan
    reasons = {id(step): opened.reason(step) for step in plan.steps}
    waited_for = {path for step in plan.steps if reasons[id(step)] for path in (*step.read, *step.also)}
    lock = Path(plan.results, FILE)
    since = lock.stat().st_mtime if running_workflow(Path(plan.results)) else None
    for step in plan.steps:
        log = log_of(plan, step)
        is_wanted = step.is_target or not waited_for.isdisjoint(step.outputs.values())
        state, why = _state(step, reasons[id(step)], log=log, since=since, is_wanted=is_wanted)
        stage = next((stage for stage, rules in STAGES.items() if step.rule in rules), OTHERS)
        log = log if log and Path(log).is_file() else None
        yield JobState(step.title, step.rule, step.wildcards.get("eid", ""), stage, state, why, log)


def _state(step: Step, reason: str, *, log: str | None, since: float | None, is_wanted: bool) -> tuple[State, str]:
    """
    Args:
        reason: why its files are to be made; empty where they are current.
        since: when the workflow began that runs; None where none does.
        is_wanted: whether a missing file of the job would be made.
    """
    if not reason:
        return "done", ""
    if log and Path(log).is_file() and not any(map(os.path.lexists, step.outputs.values())):
        said = complaint(Path(log))
        if since is not None and Path(log).stat().st_mtime >= since and not said:
            return "running", ""
        if said:
            return "failed", said
    if reason == MISSING or reason.endswith(" is missing"):
        return ("to do" if is_wanted else "not needed"), ""
    return "stale", reason


def states_as_json(states: list[JobState], *, results: str) -> str:
    """`results`, `running` (host and pid of the workflow, or empty), and `jobs`, a mapping of `JobState` each."""
    jobs = [asdict(state) for state in states]
    return json.dumps({"results": results, "running": running_workflow(Path(results)), "jobs": jobs}, indent=2)
