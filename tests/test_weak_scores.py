"""A model that is no better than none is said to be so."""

import pandas as pd

from neds.evaluation.results import METRIC_COLUMNS
from neds.plan.weak_scores import weak_scores_lines


def test_models_below_what_needs_no_model_are_named_with_the_sessions(tmp_path):
    def row(model, eid, metric, value, inputs="wheel+choice", *, target="spikes", seed=0, n_classes=""):
        task = "encoding" if target == "spikes" else "decoding"
        training = "scratch" if model.startswith("neds") else ""
        return [eid, model, training, seed, task, inputs, target, metric, value, n_classes]

    rows = [
        row("psth", "mouse1", "bits_per_spike", 0.05, "choice"),
        row("psth", "mouse2", "bits_per_spike", 0.05, "choice"),
        row("neds-mm", "mouse1", "bits_per_spike", 0.02),
        row("neds-mm", "mouse1", "bits_per_spike", 0.06, seed=1),
        row("neds-mm", "mouse1", "bits_per_spike", -0.3, "choice"),  # of one input alone
        row("neds-mm", "mouse2", "bits_per_spike", -0.01),
        row("neds-encoding", "mouse1", "bits_per_spike", 0.06),
        row("neds-mm", "mouse1", "r2", 0.1, "spikes", target="wheel"),
        row("neds-mm", "mouse2", "r2", -0.1, "spikes", target="wheel"),
        row("neds-mm", "mouse2", "balanced_accuracy", 0.3, "spikes", target="block", n_classes=3),
        row("neds-mm", "mouse1", "balanced_accuracy", 0.4, "spikes", target="block", n_classes=3),
        # Of one class in the test trials nothing can be guessed wrong.
        row("neds-mm", "mouse1", "balanced_accuracy", 0.9, "spikes", target="reward", n_classes=1),
    ]
    columns = ["eid", "model", "training", "seed", "task", "inputs", "target", "metric", "value", "n_classes"]
    pd.DataFrame(rows, columns=columns).reindex(columns=METRIC_COLUMNS).to_csv(tmp_path / "metrics.csv", index=False)
    assert weak_scores_lines(tmp_path / "metrics.csv") == [
        "Scores that are no better than without a model:",
        "  NEDS single-session, block: in 1 of 2 test sessions below guessing: mouse2",
        "  NEDS single-session, spikes: in 1 of 2 test sessions below the condition average (psth): mouse1",
        "  NEDS single-session, spikes: in 1 of 2 test sessions below the mean rate: mouse2",
        "  NEDS single-session, wheel: in 1 of 2 test sessions below the mean value: mouse2",
    ]
    assert weak_scores_lines(tmp_path / "absent.csv") == []
