"""What the user reads at the end when jobs failed."""

import re
from collections.abc import Sequence
from pathlib import Path

from neds.words import counted

# What starts a command, or the command itself before it runs, complains so.
_OF_A_PROGRAM = re.compile(r"(\S*/)?(bash|sh|python[\d.]*|usage|srun|slurmstepd)\b[^:]*: ")


def failure_report(failed: Sequence[tuple[str, str | None]], *, waiting: int, n_jobs: int) -> str:
    """The failed jobs with their causes, and how to go on; empty where nothing failed or is left.

    Args:
        failed: title and log of each.
        waiting: jobs that are left.
        n_jobs: all that were to be done.
    """
    if not failed:
        return (
            f"Stopped with {counted(waiting, 'job')} left; start snakemake again as before to go on." if waiting else ""
        )
    lines = [
        f"{len(failed)} of {counted(n_jobs, 'job')} failed:",
        *(_entry(title, log) for title, log in sorted(failed)),
    ]
    if waiting:
        lines.append(f"Left, as they need these results or were not started: {counted(waiting, 'job')}.")
    lines.append("What is finished stays finished: mend the cause and start snakemake again as before.")
    return "\n".join(lines)


def _entry(title: str, log: str | None) -> str:
    if log is None or not Path(log).is_file():
        return f"  {title}\n      left no log; see Snakemake's own messages above"
    return f"  {title}\n      {cause(Path(log))}\n      log: {log}"


def cause(log: Path) -> str:
    """Why a job failed, in one line, as far as its log says. Killed is said only of what left no word of its own."""
    lines = _lines(log)
    own = complaint(log)
    return own or (
        "ended without a reason, so it was killed (memory, time limit, signal); last line: "
        f"{lines[-1] if lines else '-'}"
    )


def complaint(log: Path) -> str:
    """What a job's log says of why it failed, in one line; empty where it says nothing of the kind."""
    lines = _lines(log)
    complaints = [line for line in lines if line.startswith("error: ") or "its state is saved" in line]
    if complaints:
        return complaints[-1].removeprefix("error: ")
    if any(line.startswith("Traceback ") for line in lines):
        return lines[-1]
    shell = [line for line in lines if _OF_A_PROGRAM.match(line)]
    return shell[-1] if shell else ""


def _lines(log: Path) -> list[str]:
    return [line.rstrip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
