"""`neds check`: what would run, what it needs, and whether that is there."""

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from neds.commands.check_files import RULES, look_into_files
from neds.commands.finding import Finding
from neds.commands.status import open_plan
from neds.errors import UserError
from neds.gpus import counted_by_driver
from neds.plan.durations import forecast
from neds.plan.opened import OpenedPlan
from neds.plan.stale import MISSING
from neds.plan.step import Step
from neds.terminal.progress import duration
from neds.words import counted

_GB = 1e9


def check_run(
    *,
    configfile: Sequence[Path] = (),
    files: Literal["all", "first", "none"] = "all",
    offline: bool = False,
    as_json: bool = False,
) -> str:
    """What a configuration would run, how long and how much, and whether what it needs is there: data, account, disk, GPU,
    SLURM. Nothing is run or changed.

    Args:
        configfile: your configurations, as for snakemake.
        files: which of the recordings on this computer that a run would read are opened: whether they have what the
            configuration names, and how many trials, units and spikes, and how much of each behaviour is known.
        offline: ask no database how much source one would download.
        as_json: print JSON, for programs.

    Raises:
        UserError: something that a run needs is not there, after all that was found; or the configuration cannot be used.
    """
    opened = open_plan(configfile)
    opened.stale_files()
    steps = list(_to_run(opened))
    findings = [
        *_sessions(opened, steps, files=files),
        *_account(opened, offline=offline),
        *_jobs(opened, steps),
        *_machine(opened),
    ]
    text = (
        json.dumps([asdict(finding) for finding in findings], indent=2) if as_json else "\n".join(map(_line, findings))
    )
    missing = [finding for finding in findings if finding.state == "missing"]
    if missing and not as_json:
        raise UserError(f"{counted(len(missing), 'thing')} that a run needs is not there\n{text}")
    return text


def _line(finding: Finding) -> str:
    mark = {"fine": "ok", "note": "--", "missing": "MISSING"}[finding.state]
    return f"{mark:8}{finding.about}: {finding.said}"


def _sessions(opened: OpenedPlan, steps: Sequence[Step], *, files: str) -> list[Finding]:
    plan = opened.plan
    start = f"{len(plan.train)} to pretrain on"
    if plan.config.pretrained:
        start = f"models start from {plan.config.pretrained}, {len(plan.train)} of role train are for baselines alone"
    said = f"source {plan.config.source}; {start}, {len(plan.test)} held out, {', '.join(plan.modalities)}"
    found = [Finding("sessions", "fine", said)]
    if absent := opened.absent_files(plan.targets("sessions", "models", "tables", "figures")):
        found.append(Finding("data", "missing", absent))
        return found
    if plan.addresses:
        away = f"{counted(len(plan.addresses), 'file')} on servers: not looked at"
        found.append(Finding("data", "note", away))
    is_there = plan.config.source != "synthetic"
    reading = [step for step in steps if is_there and step.rule in RULES and "address" not in step.values]
    if reading and files != "none":
        found += look_into_files(plan, reading, only_first=files == "first")
    elif reading:
        read = "their files are there, and were not opened; `snakemake sessions` reads what is in them"
        found.append(Finding("data", "note", read))
    return found


def _account(opened: OpenedPlan, *, offline: bool) -> list[Finding]:
    """The account of source one, and how much it would download."""
    config = opened.plan.config
    if config.source != "one":
        return []
    if offline:
        return [Finding("download", "note", "nothing was asked (--offline); `neds size` tells how much it is")]
    # Here, because help should not wait for ONE.
    from neds.download.amount import amounts, summary

    cache_dir = Path(config.download.cache_dir or f"{config.results}/one_cache")
    eids = [session.eid for session in opened.plan.sessions]
    try:
        table = amounts(eids, cache_dir=cache_dir, settings=config.download_settings())
    except UserError as error:
        return [Finding("account", "missing", str(error))]
    problems = [f"session {row.eid}: {row.problem}" for row in table.itertuples() if row.problem]
    found = [Finding("download", "fine", summary(table, cache_dir=cache_dir))]
    found += [Finding("data", "note", problem) for problem in problems]
    if table["bytes_missing"].sum() > _free_bytes(cache_dir):
        found.append(Finding("disk", "missing", f"{cache_dir}: less is free than is to be downloaded"))
    return found


def _jobs(opened: OpenedPlan, steps: Sequence[Step]) -> list[Finding]:
    plan = opened.plan
    if not steps:
        return [Finding("jobs", "fine", "none: everything is made and current")]
    rules = Counter(step.rule for step in steps)
    found = [
        Finding(
            "jobs",
            "fine",
            f"{counted(len(steps), 'job')}: {', '.join(f'{number} {rule}' for rule, number in rules.items())}",
        )
    ]
    found += [Finding("jobs", "note", line) for line in opened.messages()]
    time = forecast(plan, steps)
    n_known = len(steps) - time.unknown.total()
    cores = os.cpu_count() or 1
    if n_known:
        about = (
            f"{duration(time.seconds)} of jobs for {n_known} of these, by what such jobs took in {plan.results} before"
        )
        found.append(Finding("time", "note", f"{about}; several run at once on {counted(cores, 'core')}"))
    else:
        found.append(
            Finding("time", "note", f"no job was timed in {plan.results} yet; the run itself tells what is left")
        )
    return found


def _to_run(opened: OpenedPlan) -> list[Step]:
    """The jobs that would run: what is stale or wanted, and what makes files that are read and not there."""
    plan = opened.plan
    waiting = [step for step in plan.steps if (why := opened.reason(step)) and (why != MISSING or step.is_target)]
    found: dict[int, Step] = {}
    while waiting:
        step = waiting.pop()
        if id(step) in found:
            continue
        found[id(step)] = step
        makers = (plan.made_by[path] for path in (*step.read, *step.also) if path in plan.made_by)
        waiting += [maker for maker in makers if opened.reason(maker)]
    return [step for step in plan.steps if id(step) in found]


def _machine(opened: OpenedPlan) -> list[Finding]:
    results = Path(opened.plan.results)
    free = _free_bytes(results)
    used = sum(map(_size, _files(results)))
    disk = f"{free / _GB:.1f} GB free where {results} is, which takes {used / _GB:.2f} GB so far"
    found = [Finding("disk", "note" if free > _GB else "missing", disk)]
    number = counted_by_driver()
    gpus = f"{counted(number, 'GPU')} by the driver" if number else "none; training runs on the CPU"
    found.append(Finding("GPU", "fine" if number else "note", gpus))
    found.append(Finding("SLURM", "note", _slurm()))
    return found


def _files(folder: Path) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        yield from (os.path.join(place, name) for name in names)


def _size(path: str) -> int:
    """Bytes of a file itself; 0 of one that is no longer there, as a run may be at work."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def _slurm() -> str:
    if shutil.which("sbatch") is None:
        return "sbatch is not here; jobs run on this computer"
    try:
        done = subprocess.run(
            ["sinfo", "--noheader", "--format=%P %D %G"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return "sbatch is here, but sinfo does not answer"
    partitions = "; ".join(" ".join(line.split()) for line in done.stdout.splitlines())
    return f"partitions (nodes, GPUs): {partitions}; --profile slurm uses them (docs/cluster.md)"


def _free_bytes(path: Path) -> int:
    existing = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir())
    return shutil.disk_usage(existing).free
