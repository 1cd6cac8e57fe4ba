"""What the user reads of a submission to BrainWideBench at the end of a run: scores, what is missing, and the files."""

from collections import defaultdict
from pathlib import Path

from neds.benchmark.protocol import (
    REGION_METRIC,
    REGION_TASK,
    SCOPES,
    TASKS,
    UNIT_METRICS,
    UNIT_TASKS,
    evaluation_sessions,
)
from neds.plan.ending import csv_rows
from neds.words import counted

_PRIMARY = (
    {task.id: task.metric for task in TASKS.values()}
    | dict.fromkeys(UNIT_TASKS.values(), next(iter(UNIT_METRICS)))
    | {REGION_TASK: REGION_METRIC}
)


def submission_lines(results: Path, label: str) -> list[str]:
    """The primary scores as the leaderboard has them, what was not predicted, and the zips; none without the tables.

    Args:
        label: of the submission.
    """
    scores, coverage = (csv_rows(results / "tables" / f"benchmark_{name}.csv") for name in ("wide", "coverage"))
    if not scores or not coverage:
        return []
    lines = [f"Submission {label} to BrainWideBench (the leaderboard's means, ± s.e.m. over seeds):"]
    for row in scores:
        if row["eid"] == "all" and row["metric"] == _PRIMARY.get(row["task"]):
            error = f" ± {float(row['sem']):.3f}" if row["sem"] else ""
            lines.append(f"  {row['label']}, {row['task']}: {row['metric']} {float(row['value']):.3f}{error}")
    filled: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in coverage:
        for place, column in enumerate(("n_filled", "n_scored")):
            filled[f"{row['of']} of {row['suite']}, {row['task']}"][place] += int(row[column])
    lines += [
        f"  filled with a mean, as no model predicts them: {n_filled} of {n_scored} {what}"
        for what, (n_filled, n_scored) in filled.items()
        if n_filled
    ]
    lines += [f"  {remark}" for remark in dict.fromkeys(row["remarks"] for row in coverage) if remark]
    if absent := evaluation_sessions() - {row["eid"] for row in coverage}:
        lines.append(
            f"  not complete: {len(absent)} of the benchmark's {counted(len(evaluation_sessions()), 'session')} are no "
            "sessions of role test here, and its server takes a submission of all alone"
        )
    zips = [results / "benchmark" / f"{label}{scope}.zip" for scope in ("", *(f"_{scope}" for scope in SCOPES))]
    lines.append(f"Zips: {', '.join(str(path) for path in zips if path.exists())}")
    return [*lines, f"Scores of all files: {results / 'tables' / 'benchmark_wide.csv'}"]
