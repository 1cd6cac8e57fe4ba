"""The card of a shared model: README.md with a YAML head, as model hubs read it."""

import pandas as pd
import yaml
from tabulate import tabulate

from neds.errors import UserError
from neds.evaluation.score import PRIMARY_METRIC
from neds.evaluation.summary import named_by_task, over_sessions, session_scores
from neds.sharing.description import Description
from neds.words import counted

_TAGS = ["neuroscience", "neural-encoding", "neural-decoding", "electrophysiology"]


def scores_of(metrics: pd.DataFrame, model: str) -> pd.DataFrame:
    """The main scores of one model: task, target, metric, value (mean over sessions), sem, n_sessions,
    n_seeds, n_trials (test trials of all sessions).

    Args:
        metrics: the metrics table.
        model: its label, e.g. neds-mm-finetuned-all.

    Raises:
        UserError: the tables have no model of that label.
    """
    labels = metrics["model"] + metrics["training"].fillna("").map(lambda text: f"-{text}" if text else "")
    if model not in set(labels):
        raise UserError(
            f"--model: {model or 'nothing'}: name one that the tables have scores of: {', '.join(sorted(set(labels)))}"
        )
    own = named_by_task(metrics)[(labels == model) & metrics["metric"].isin(PRIMARY_METRIC.values())]
    scores = over_sessions(session_scores(own))
    n_trials = own.drop_duplicates(["eid", "target"]).groupby("target")["n_test_trials"].sum()
    task = own.drop_duplicates("target").set_index("target")["task"]
    targets = scores["target"]
    return scores.rename(columns={"mean": "value"}).assign(task=targets.map(task), n_trials=targets.map(n_trials))


def card(model: Description, scores: pd.DataFrame, *, data: str) -> str:
    """The text of the card.

    Args:
        scores: of `scores_of`; empty where none are known.
        data: a sentence or two on the recordings.
    """
    head = yaml.safe_dump(_head(model, scores), sort_keys=False, allow_unicode=True)
    n_units = sum(sum(session.n_units.values()) for session in model.sessions)
    window = f"{model.n_bins} bins of {model.bin_s:g} s, the first {model.window_start_s:g} s from the event"
    window += f", after {model.n_context} that are read alone" if model.n_context else ""
    parts = [
        f"---\n{head}---\n",
        f"# {model.name}\n",
        f"A NEDS model ({model.mode}) of neural activity and behaviour: {', '.join(model.inputs)} -> "
        f"{', '.join(model.outputs)}. A trial is {window}.\n",
        "## Data\n",
        f"{data}\n" if data else "",
        f"Trained on {len(model.sessions)} sessions with {n_units} units; units.csv lists them, and the hashes below tell "
        "whether a session is the same.\n",
        _sessions(model),
        _before(model),
        "## Scores\n",
        _scores(scores),
        "## How to load\n",
        f"```python\nimport neds\n\nmodel = neds.load_model({model.name!r})\ntuned = model.finetune(neds.load_session("
        '"session.h5"))\n```\n',
        f"In a workflow: `pretrained: {model.name}` in the configuration. Nothing in this folder is unpickled.\n",
        "## Licence\n",
        f"{model.licence}, of the weights; that of the recordings is their own.\n",
        "## Versions\n",
        ", ".join(f"{name} {version}" for name, version in model.versions.items()) + "\n",
        f"Weights: {model.weights.size} bytes, SHA-256 `{model.weights.sha256}`.\n",
    ]
    return "\n".join(filter(None, parts))


def _head(model: Description, scores: pd.DataFrame) -> dict[str, object]:
    results = [
        {
            "task": {"type": f"neural-{row.task}", "name": f"{row.task}: {row.target}"},
            "dataset": {"type": "sessions", "name": f"test trials of {row.n_sessions} sessions"},
            "metrics": [{"type": row.metric, "value": round(row.value, 4), "name": f"{row.metric}, {row.target}"}],
        }
        for row in scores.itertuples()
    ]
    head: dict[str, object] = {"license": model.licence, "library_name": "neds", "tags": _TAGS}
    return head | ({"model-index": [{"name": model.name, "results": results}]} if results else {})


def _sessions(model: Description) -> str:
    rows = [
        [s.eid, s.subject, sum(s.n_units.values()), s.n_trials.get("train", 0), s.sha256[:16]] for s in model.sessions
    ]
    return tabulate(rows, ["session", "subject", "units", "training trials", "SHA-256 (first 16)"], "github") + "\n"


def _before(model: Description) -> str:
    eids = sorted(model.trained_before)
    if not eids:
        return ""
    return (
        f"It was fine-tuned from one that was trained on {counted(len(eids), 'session')}: {', '.join(eids)}. Its scores on "
        "them say nothing of new sessions either.\n"
    )


def _scores(scores: pd.DataFrame) -> str:
    if scores.empty:
        return "None were given.\n"
    rows = [
        [
            row.task,
            row.target,
            row.metric,
            f"{row.value:.3f}",
            f"{row.sem:.3f}",
            row.n_sessions,
            row.n_seeds,
            row.n_trials,
        ]
        for row in scores.itertuples()
    ]
    header = ["task", "target", "metric", "mean", "s.e.m. over sessions", "sessions", "seeds", "test trials"]
    return tabulate(rows, header, "github", disable_numparse=True) + "\n"
