"""What of a run's events is shown, and in which words."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from neds.plan.failures import cause
from neds.plan.graph import STAGES
from neds.plan.plan import TARGETS
from neds.plan.step import step_title
from neds.terminal.progress import Job, Progress, duration
from neds.terminal.screens import Screen
from neds.words import counted

NO_JOBS = frozenset({"all", *TARGETS, "total"})
"""Names that Snakemake counts among a run's jobs and that do nothing."""


class RunView:
    """One line a finished job and a block for one that failed; below them, on a terminal, what runs."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._progress: Progress | None = None

    def say(self, text: str, *, style: str = "") -> None:
        self._screen.line(text, style=style)

    def plan(self, jobs: Mapping[str, int]) -> None:
        """Say what is to be done.

        Args:
            jobs: number of jobs of each rule.
        """
        jobs = {rule: number for rule, number in jobs.items() if rule not in NO_JOBS}
        self._progress = Progress(jobs, now=time.time())
        if jobs:
            parts = ", ".join(f"{number} {rule}" for rule, number in jobs.items())
            self.say(f"{counted(sum(jobs.values()), 'job')}: {parts}")
            self._screen.follow(self._progress)

    def start(self, number: int, rule: str, wildcards: Mapping[str, str], log: str | None) -> None:
        if self._progress and rule not in NO_JOBS:
            self._progress.start(Job(number, rule, step_title(rule, wildcards), log, time.time()))

    def finish(self, number: int) -> None:
        now = time.time()
        done = self._progress.finish(number, now=now) if self._progress else None
        if self._progress and done:
            job, seconds = done
            width = len(str(self._progress.n_jobs))
            count = f"[{self._progress.n_done:{width}}/{self._progress.n_jobs}]"
            clock = time.strftime("%H:%M:%S", time.localtime(now))
            left = self._progress.seconds_left(now=now)
            more = f"; about {duration(left)} left" if left is not None and left >= 1 else ""
            self.say(f"{clock} {count} {job.title} ({duration(seconds)}{more})")

    def fail(self, number: int, rule: str, log: str | None) -> None:
        """Say which job failed, why, and where its log is."""
        job = self._progress.fail(number) if self._progress else None
        why = cause(Path(log)) if log and Path(log).is_file() else "left no log"
        text = f"FAILED {job.title if job else rule}\n    {why}"
        self.say(f"{text}\n    log: {log}" if log else text, style="red")

    def close(self) -> None:
        self._screen.close()


class DryRunView:
    """A table of what would run: jobs by rule, and why."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._jobs: Counter[str] = Counter()
        self._reasons: dict[str, Counter[str]] = {}

    def say(self, text: str, *, style: str = "") -> None:
        self._screen.line(text, style=style)

    def add(self, rule: str, reason: str) -> None:
        """Count a job that would run.

        Args:
            reason: in Snakemake's words.
        """
        if rule not in NO_JOBS:
            self._jobs[rule] += 1
            self._reasons.setdefault(rule, Counter())[_in_short(reason)] += 1

    def close(self) -> None:
        """Show the table."""
        if not self._jobs:
            return
        width = max(map(len, self._jobs))
        order = {rule: rank for rank, rule in enumerate(rule for rules in STAGES.values() for rule in rules)}
        for rule, number in sorted(self._jobs.items(), key=lambda job: order.get(job[0], -1)):
            reasons = self._reasons[rule]
            why = ", ".join(f"{n} {reason}" if len(reasons) > 1 else reason for reason, n in reasons.items())
            self.say(f"  {rule:{width}} {number:5}  {why}")
        self.say(f"{counted(self._jobs.total(), 'job')} would run; nothing was done (dry run).")


def _in_short(reason: str) -> str:
    """Why a job runs: in a run whose stale files the workflow itself has named."""
    if reason.startswith("Missing output files"):
        return "not there yet"
    if reason.startswith(("Input files updated by another job", "Updated input files")):
        return "made from what is made again"
    if reason.startswith("Forced execution"):
        return "made again"
    return reason.partition(":")[0]
