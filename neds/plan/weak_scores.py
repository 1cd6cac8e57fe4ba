"""Models that predict no better than what needs no model: said at the end of a run and in the report."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

AVERAGE = "psth"
"""The baseline that predicts the average of a trial's condition."""
_MOST_SESSIONS = 3


class _Scored(NamedTuple):
    model: str
    eid: str
    target: str
    metric: str


def weak_scores_lines(metrics: Path) -> list[str]:
    """A line for each model and target that is too low in some test session; none without the table.

    Scores are those from all inputs, averaged over seeds. Too low is a mean rate or value that does better (bits per spike
    or R2 below 0), guessing (balanced accuracy below 1 / classes) and, for spikes, the average of the trial's condition
    where that baseline was run.

    Args:
        metrics: the table of all scores, CSV (docs/files.md).
    """
    if not metrics.is_file():
        return []
    with open(metrics, encoding="utf-8", newline="") as handle:
        scores = _means(csv.DictReader(handle))
    averages = {(one.eid, one.target): value for one, (value, _) in scores.items() if one.model == AVERAGE}
    sessions: dict[tuple[str, str], set[str]] = defaultdict(set)
    below: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one, (value, floor) in scores.items():
        if not one.model.startswith("neds"):
            continue
        sessions[one.model, one.target].add(one.eid)
        average = averages.get((one.eid, one.target)) if one.metric == "bits_per_spike" else None
        if value < floor:
            below[one.model, one.target, _FLOORS[one.metric]].append(one.eid)
        elif average is not None and value < average:
            below[one.model, one.target, f"the condition average ({AVERAGE})"].append(one.eid)
    lines = [
        f"  {model}, {target}: in {len(eids)} of {len(sessions[model, target])} test sessions below {what}: {_listed(eids)}"
        for (model, target, what), eids in sorted(below.items())
    ]
    return ["Scores that are no better than without a model:", *lines] if lines else []


_FLOORS = {"bits_per_spike": "the mean rate", "r2": "the mean value", "balanced_accuracy": "guessing"}


def _means(rows: Iterable[Mapping[str, str]]) -> dict[_Scored, tuple[float, float]]:
    """Score, averaged over seeds, and its floor."""
    values: dict[_Scored, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    floors: dict[_Scored, float] = {}
    for row in rows:
        if row["metric"] not in _FLOORS or row["task"] not in ("encoding", "decoding") or not row["value"]:
            continue
        one = _Scored(" ".join(filter(None, (row["model"], row["training"]))), row["eid"], row["target"], row["metric"])
        values[one][row["inputs"].count("+")].append(float(row["value"]))
        floors[one] = 1 / int(float(row["n_classes"])) if row["metric"] == "balanced_accuracy" else 0.0
    return {one: (fmean(by_inputs[max(by_inputs)]), floors[one]) for one, by_inputs in values.items()}


def _listed(eids: list[str]) -> str:
    more = len(eids) - _MOST_SESSIONS
    return ", ".join(eids[:_MOST_SESSIONS]) + (f" and {more} more" if more > 0 else "")
