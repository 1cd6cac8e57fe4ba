"""Scores as figures and tables need them: seeds averaged within a session, then sessions summarised."""

import pandas as pd

from neds.evaluation.score import PRIMARY_METRIC
from neds.evaluation.settings import TASK_TITLES, UNIT_TASKS, UnitTaskName
from neds.modalities import Modality, by_name
from neds.words import counted

_UNIT_TASK_SENTENCES: dict[UnitTaskName, str] = {
    "co_smoothing": "Co-smoothing: held-out units are predicted from the other units (with behaviour: and all behaviours).",
    "forecasting": "Forecasting: the last bins are predicted from the bins before (with behaviour: and behaviour in these).",
}


def named_by_task(metrics: pd.DataFrame) -> pd.DataFrame:
    """The metrics table with a target of its own for each way of co-smoothing and forecasting: <target>-<task>."""
    of_task = [
        f"{target}-{task}" if task in UNIT_TASKS and not target.endswith(f"-{task}") else target
        for target, task in zip(metrics["target"], metrics["task"], strict=True)
    ]
    return metrics.assign(target=of_task)


def with_unit_tasks(modalities: dict[str, Modality], metrics: pd.DataFrame) -> dict[str, Modality]:
    """What is predicted, as figures and tables name it: the modalities, and behind each its targets of `named_by_task`.

    A modality that has such targets is called by its task, too: spikes: encoding.
    """
    scored = set(named_by_task(metrics)["target"])
    shown = []
    for name, modality in modalities.items():
        targets = {name: "encoding"} | {f"{name}-{task}": task for task in UNIT_TASKS if f"{name}-{task}" in scored}
        if len(targets) == 1:
            shown.append(modality)
            continue
        for target, task in targets.items():
            title = f"{modality.title}: {TASK_TITLES[task]}"
            shown.append(modality.model_copy(update={"name": target, "label": title}))
    return by_name(shown)


def unit_tasks_note(modalities: dict[str, Modality]) -> str:
    """Sentences on what co-smoothing and forecasting are, where they are shown; else empty.

    Args:
        modalities: of `with_unit_tasks`.
    """
    shown = {UNIT_TASKS.get(name.rpartition("-")[2]) for name in modalities}
    return "".join(f" {sentence}" for task, sentence in _UNIT_TASK_SENTENCES.items() if task in shown)


def unscored_note(metrics: pd.DataFrame, modalities: dict[str, Modality]) -> str:
    """A sentence on the targets that have no score in some sessions, as their test trials do not define it; empty where
    there is none.

    Args:
        metrics: rows of the metrics table.
        modalities: of `with_unit_tasks`.
    """
    metrics, parts = named_by_task(metrics), []
    for target, metric in drawn_metrics(modalities).items():
        rows = metrics[(metrics["target"] == target) & (metrics["metric"] == metric)]
        lacking = rows[~has_score(rows)]
        if len(lacking):
            why = " (one class in the test trials)" if _of_one_class(lacking).all() else ""
            parts.append(f"{modalities[target].title} of {counted(lacking['eid'].nunique(), 'session')}{why}")
    return f" Without a score: {', '.join(parts)}." if parts else ""


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
    rows = named_by_task(metrics).assign(training=metrics["training"].fillna("").astype(str))
    rows = rows[has_score(rows)]
    if not each_input:
        n_inputs = rows["inputs"].str.count(r"\+")
        most = n_inputs.groupby([rows["model"], rows["training"], rows["target"]]).transform("max")
        rows = rows[n_inputs == most]
    known = ["target", "metric", "inputs", "model", "training", "eid"]
    return rows.groupby(known, as_index=False).agg(n_seeds=("seed", "nunique"), value=("value", "mean"))


def has_score(metrics: pd.DataFrame) -> pd.Series:
    """Whether each row of the metrics table counts as a score: as `session_scores` has it."""
    return metrics["value"].notna() & ~_of_one_class(metrics)


def _of_one_class(metrics: pd.DataFrame) -> pd.Series:
    if "n_classes" not in metrics:
        return pd.Series(False, index=metrics.index)
    return (metrics["n_classes"] < 2).fillna(False).astype(bool)


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
