"""How long the jobs of a plan will take, by what such jobs took before."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from neds.plan.logs import LOGS
from neds.plan.plan import Plan
from neds.plan.step import Step


@dataclass(frozen=True)
class Forecast:
    """Time that jobs will take.

    Attributes:
        seconds: sum over the jobs of rules of which jobs were timed before.
        unknown: number of jobs by rule that runs long enough to be timed, of which none was.
    """

    seconds: float
    unknown: Counter[str]


def forecast(plan: Plan, steps: Iterable[Step]) -> Forecast:
    """The time that jobs will take, by the mean of those of their rule that an earlier run timed in the same results."""
    means: dict[str, float | None] = {}
    seconds, unknown = 0.0, Counter[str]()
    timed = _timed_folders(plan)
    for step in steps:
        name = _name(step.rule)
        if name not in means:
            means[name] = sum(timed[name]) / len(timed[name]) if timed[name] else None
        mean = means[name]
        if mean is not None:
            seconds += mean
        else:
            unknown[step.rule] += 1
    return Forecast(seconds, unknown)


def _timed_folders(plan: Plan) -> dict[str, list[float]]:
    """Seconds of each job that was timed, by the name that its rule's logs and times have in common."""
    found: dict[str, list[float]] = defaultdict(list)
    folder = Path(plan.results, "benchmarks")
    for path in folder.rglob("*.tsv"):
        with open(path, encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t"))
        found[path.relative_to(folder).parts[0].removesuffix(".tsv")] += [float(row["s"]) for row in rows]
    return found


def _name(rule: str) -> str:
    return LOGS.get(rule, f"logs/{rule}").split("/")[1].removesuffix(".log")
