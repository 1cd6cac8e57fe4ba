"""What of a run's events is shown, and in which words."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from neds.plan.failures import cause
from neds.plan.logs import workflow_order
from neds.plan.plan import TARGETS
from neds.plan.step import step_title
from neds.terminal.progress import Job, Progress, duration
from neds.terminal.screens import Screen
from neds.words import counted

_MOST_NAMED = 4
NO_JOBS = frozenset({"all", *TARGETS, "total"})
"""Names that Snakemake counts among a run's jobs and that do nothing."""


class RunView:
    """One line a finished job and a block for one that failed; below them, on a terminal, what runs."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._progress: Progress | None = None
        self._is_stopping = False

    def say(self, text: str, *, style: str = "") -> None:
        self._screen.line(text, style=style)

    def plan(self, jobs: Mapping[str, int]) -> None:
        """Say what is to be done.

        Args:
            jobs: number of jobs of each rule.
        """
        jobs = {rule: jobs[rule] for rule in sorted(jobs, key=workflow_order) if rule not in NO_JOBS}
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
            left = self._progress.time_left(now=now)
            self.say(f"{clock} {count} {job.title} ({duration(seconds)}{'; ' if left else ''}{left})")

    def fail(self, number: int, rule: str, log: str | None) -> None:
        """Say which job failed, why, and where its log is."""
        job = self._progress.fail(number) if self._progress else None
        why = cause(Path(log)) if log and Path(log).is_file() else "left no log"
        text = f"FAILED {job.title if job else rule}\n    {why}"
        self.say(f"{text}\n    log: {log}" if log else text, style="red")

    def stop(self, *, ends_jobs: bool) -> None:
        """Say that the run was asked to stop, and what becomes of the jobs that run.

        Args:
            ends_jobs: whether these are ended too, as by Ctrl-C; else they are waited for, as after SIGTERM.
        """
        if self._is_stopping:
            return
        self._is_stopping = True
        running = [job.title for job in self._progress.running.values()] if self._progress else []
        more = f" and {len(running) - _MOST_NAMED} more" if len(running) > _MOST_NAMED else ""
        named = f" ({'; '.join(running[:_MOST_NAMED])}{more})" if running else ""
        jobs = counted(len(running), "job")
        if not running:
            what = "No job runs"
        elif ends_jobs:
            what = f"Told to end: {jobs} at work{named}; a training saves its state first"
        else:
            what = f"No other job is started; finished first: {jobs} at work{named}. Ctrl-C ends these too"
        self.say(f"Asked to stop. {what}.", style="yellow")
        if self._progress:
            self._progress.is_stopping = True

    def close(self) -> None:
        """Show nothing that moves any more; of a run that was stopped say how to go on."""
        self._screen.close()
        if self._is_stopping:
            done = (
                f" after {self._progress.n_done} of {counted(self._progress.n_jobs, 'job')}" if self._progress else ""
            )
            how = "start the same command again: finished jobs stay finished, and training goes on where it was saved"
            self.say(f"Stopped{done}. To go on, {how}.", style="yellow")


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
        for rule, number in sorted(self._jobs.items(), key=lambda job: workflow_order(job[0])):
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
