"""Scores as figures and tables need them: seeds averaged within a session, then sessions summarised."""

import pandas as pd

from neds.evaluation.score import PRIMARY_METRIC
from neds.evaluation.settings import TASK_TITLES, UNIT_TASKS
from neds.modalities import Modality, by_name
from neds.words import counted


def named_by_task(metrics: pd.DataFrame) -> pd.DataFrame:
    """The metrics table with a target of its own for each way of co-smoothing and forecasting: <target>-<task>."""
    of_task = [
        f"{target}-{task}" if task in UNIT_TASKS and not target.endswith(f"-{task}") else target
        for target, task in zip(metrics["target"], metrics["task"], strict=True)
    ]
    return metrics.assign(target=of_task)


def with_unit_tasks(modalities: dict[str, Modality], metrics: pd.DataFrame) -> dict[str, Modality]:
    """What is predicted, as figures and tables name it: the modalities, and behind each its targets of `named_by_task`."""
    scored = set(named_by_task(metrics)["target"])
    shown = []
    for name, modality in modalities.items():
        shown.append(modality)
        for task in UNIT_TASKS:
            if f"{name}-{task}" in scored:
                title = f"{modality.title}: {TASK_TITLES[task]}"
                shown.append(modality.model_copy(update={"name": f"{name}-{task}", "label": title}))
    return by_name(shown)


def untrained_note(metrics: pd.DataFrame, modalities: dict[str, Modality], titles: pd.Series) -> str:
    """A sentence on the models that were scored on a task that they were not trained for; empty where there is none.

    Args:
        metrics: rows of the metrics table.
        modalities: of `with_unit_tasks`.
        titles: of the model of each row.
    """
    rows = named_by_task(metrics).assign(title=titles)
    rows = rows[~rows["trained_for"].astype(bool) & rows["target"].isin(modalities)]
    pairs = dict.fromkeys(zip(rows["title"], rows["target"], strict=True))
    parts = [f"{title} ({modalities[target].title})" for title, target in pairs]
    return f" Not trained for the task: {', '.join(parts)}." if parts else ""


def session_scores(metrics: pd.DataFrame, *, each_input: bool = False) -> pd.DataFrame:
    """Every score of every session, averaged over seeds; unknown scores are left out, and those of a single class, of which
    a model that always says it is right in all trials. Targets are those of `named_by_task`.

    Args:
        metrics: the metrics table.
        each_input: also the encoding tasks that see one input alone; otherwise only those with all inputs of a model.

    Returns:
        Columns target, metric, inputs, model, training ("" for a baseline), eid, n_seeds, value.
    """
    rows = named_by_task(metrics).assign(training=metrics["training"].fillna("").astype(str)).dropna(subset="value")
    if "n_classes" in rows:
        rows = rows[~(rows["n_classes"] < 2).fillna(False).astype(bool)]
    if not each_input:
        n_inputs = rows["inputs"].str.count(r"\+")
        most = n_inputs.groupby([rows["model"], rows["training"], rows["target"]]).transform("max")
        rows = rows[n_inputs == most]
    known = ["target", "metric", "inputs", "model", "training", "eid"]
    return rows.groupby(known, as_index=False).agg(n_seeds=("seed", "nunique"), value=("value", "mean"))


def shares(scores: pd.DataFrame, *, of: str, metric: str = "bits_per_spike") -> pd.DataFrame:
    """Each session's score as a share of that of a reference, such as an oracle.

    Args:
        scores: as of `session_scores`.
        of: the reference's model.

    Returns:
        Rows like those of `scores`, with `share_of_<model>` for a metric. Sessions in which the reference is not above 0 are
        left out.
    """
    rows = scores[scores["metric"] == metric]
    reference = rows.loc[(rows["model"] == of) & (rows["value"] > 0), ["target", "eid", "value"]]
    both = rows.merge(reference, on=["target", "eid"], suffixes=("", "_of"))
    both = both.assign(value=both["value"] / both["value_of"], metric=f"share_of_{of}")
    return both.drop(columns="value_of")


def over_sessions(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard error and number of sessions of each score of `session_scores`.

    Returns:
        Columns target, metric, inputs, model, training, mean, sem (NaN for one session), n_sessions, n_seeds (the most).
    """
    known = ["target", "metric", "inputs", "model", "training"]
    return scores.groupby(known, as_index=False).agg(
        mean=("value", "mean"), sem=("value", "sem"), n_sessions=("eid", "nunique"), n_seeds=("n_seeds", "max")
    )


def drawn_metrics(modalities: dict[str, Modality], *, plain_accuracy: bool = False) -> dict[str, str]:
    """The metric by which each target is drawn: the primary one of its kind.

    Args:
        plain_accuracy: for categorical targets accuracy, as the paper reports it, instead of balanced accuracy.
    """
    metrics = PRIMARY_METRIC | ({"categorical": "accuracy"} if plain_accuracy else {})
    return {name: metrics[modality.kind] for name, modality in modalities.items()}


def n_text(means: pd.DataFrame, thing: str) -> str:
    """The `n_sessions` of some means in words, e.g. "4 test sessions" or "3 to 4 test sessions"."""
    least, most = (int(means["n_sessions"].min()), int(means["n_sessions"].max())) if len(means) else (0, 0)
    return counted(most, thing) if least == most else f"{least} to {counted(most, thing)}"
