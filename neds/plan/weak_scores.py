"""Models that predict no better than what needs no model: said at the end of a run and in the report."""

from pathlib import Path

AVERAGE = "psth"
"""The baseline that predicts the average of a trial's condition."""
_FLOORS = {"bits_per_spike": "the mean rate", "r2": "the mean value", "balanced_accuracy": "guessing"}
_MOST_SESSIONS = 3


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
    # Here, because a workflow that starts need not wait for pandas.
    from neds.evaluation.summary import session_scores
    from neds.evaluation.tables import metrics_table
    from neds.figures.names import labels_of, model_title

    table = metrics_table([metrics])
    scores = session_scores(table[table["metric"].isin(_FLOORS)])
    scores["label"] = labels_of(scores)
    n_classes = table.groupby(["eid", "target"])["n_classes"].max()
    floors = 1 / scores.join(n_classes, on=["eid", "target"])["n_classes"]
    scores["floor"] = floors.where(scores["metric"] == "balanced_accuracy", 0.0)
    averages = scores[scores["label"] == AVERAGE].set_index(["eid", "target", "metric"])["value"].rename("average")
    ours = scores[scores["label"].str.startswith("neds")].join(averages, on=["eid", "target", "metric"])
    below_floor = ours["value"] < ours["floor"]
    below_average = ~below_floor & (ours["metric"] == "bits_per_spike") & (ours["value"] < ours["average"])
    ours["below"] = ours["metric"].map(_FLOORS).where(below_floor)
    ours.loc[below_average, "below"] = f"the condition average ({AVERAGE})"
    n_sessions = ours.groupby(["label", "target"])["eid"].nunique()
    weak = ours.dropna(subset="below").groupby(["label", "target", "below"])["eid"].unique()
    lines = [
        f"  {model_title(label)}, {target}: in {len(eids)} of {n_sessions[label, target]} test sessions below {below}: "
        f"{_listed(list(eids))}"
        for (label, target, below), eids in weak.items()
    ]
    return ["Scores that are no better than without a model:", *lines] if lines else []


def _listed(eids: list[str]) -> str:
    more = len(eids) - _MOST_SESSIONS
    return ", ".join(eids[:_MOST_SESSIONS]) + (f" and {more} more" if more > 0 else "")
