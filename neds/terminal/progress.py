"""How far a run is: jobs that run and are done, and an estimate of the time that is left."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_CLOCK = re.compile(r"\d\d:\d\d:\d\d ")
_LAST_BYTES = 4000


@dataclass(frozen=True)
class Job:
    """A job that was started, or on a cluster submitted.

    Attributes:
        number: Snakemake's.
        title: what people call it.
        log: path of its log, where it has one.
        started: seconds since the epoch.
    """

    number: int
    rule: str
    title: str
    log: str | None
    started: float

    def said(self) -> str:
        """The last line of its log without the time of day; empty where it has said nothing since it was started."""
        try:
            path = Path(self.log or "")
            if path.stat().st_mtime < int(self.started):
                return ""
            with open(path, "rb") as handle:
                handle.seek(max(0, path.stat().st_size - _LAST_BYTES))
                lines = handle.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        last = next((line for line in reversed(lines) if line.strip()), "")
        return _CLOCK.sub("", last, count=1).strip()


class Progress:
    """The jobs of a run.

    Attributes:
        n_jobs: all that were planned.
        n_done: those that are done.
        running: those that were started and are not done, by number, in the order of their start.
        is_stopping: whether the run was asked to stop, so that not all that is left will be done.
    """

    def __init__(self, planned: Mapping[str, int], *, now: float) -> None:
        """
        Args:
            planned: number of jobs of each rule.
            now: seconds since the epoch.
        """
        self.n_jobs = sum(planned.values())
        self.n_done = 0
        self.running: dict[int, Job] = {}
        self.is_stopping = False
        self._left = Counter(planned)
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._begun = now

    def start(self, job: Job) -> None:
        self.running[job.number] = job

    def finish(self, number: int, *, now: float) -> tuple[Job, float] | None:
        """The job that is done, and its seconds; None where it is none of this run."""
        job = self.running.pop(number, None)
        if job is None:
            return None
        seconds = now - job.started
        self.n_done += 1
        self._left[job.rule] -= 1
        self._seconds[job.rule].append(seconds)
        return job, seconds

    def fail(self, number: int) -> Job | None:
        """The job that has failed; None where it is none of this run, or was told of before."""
        return self.running.pop(number, None)

    def time_left(self, *, now: float) -> str:
        """Estimate of the time that is left, such as "about 3 min left"; empty where there is none, or less than a second.

        A job that is to come takes as long as those of its rule took, and as many run at once as did so far. Rules of which
        no job is done yet count nothing, so that it is a bound: "at least 3 min left".
        """
        worked = sum(map(sum, self._seconds.values())) + sum(now - job.started for job in self.running.values())
        if not self._seconds or worked <= 0:
            return ""
        typical = {rule: sum(times) / len(times) for rule, times in self._seconds.items()}
        to_come = sum(number * typical.get(rule, 0.0) for rule, number in self._left.items())
        # What runs has a part behind it, at most all that it was given.
        behind = sum(min(now - job.started, typical.get(job.rule, 0.0)) for job in self.running.values())
        at_once = max(1.0, worked / max(now - self._begun, 1e-9))
        seconds = (to_come - behind) / at_once
        is_bound = any(number and rule not in typical for rule, number in self._left.items())
        return f"{'at least' if is_bound else 'about'} {duration(seconds)} left" if seconds >= 1 else ""


def duration(seconds: float) -> str:
    """E.g. "8 s", "3 min", "2 h 5 min"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
