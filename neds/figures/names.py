"""What models and metrics are called in every figure and table, and in what order models appear."""

import re
from collections.abc import Iterable

import pandas as pd

from neds.baselines.registry import NEDS_RANK, SAID, shown_baselines
from neds.run import Run

METRIC_TITLES = {
    "bits_per_spike": "bits per spike",
    "bits_per_spike_train_null": "bits per spike (null: training rate)",
    "bits_per_spike_pooled": "bits per spike (pooled over spikes)",
    "poisson_d2": "Poisson D²",
    "calibration_slope": "calibration slope",
    "r2": "R²",
    "r2_psth": "R² of condition averages",
    "r2_residual": "R² of single-trial deviations",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "expected_accuracy": "expected balanced accuracy",
    "calibration_error": "calibration error",
}

EVENT_TITLES = {
    "stimOn_times": "stimulus onset",
    "goCue_times": "go cue",
    "firstMovement_times": "first movement",
    "response_times": "response",
    "feedback_times": "feedback",
    "stimOff_times": "stimulus offset",
    "intervals_0": "trial start",
}
"""Alignment events by the IBL's columns; a column of somebody else's is called as it is."""

# In the order of every legend, where baselines come before and the oracle after. The paper's words: a single-session model
# is trained from scratch, a multi-session model is pretrained on other sessions and fine-tuned; a unimodal model only
# encodes or only decodes.
MODEL_TITLES = {
    "neds-encoding-scratch": "unimodal NEDS single-session",
    "neds-decoding-scratch": "unimodal NEDS single-session",
    "neds-encoding-finetuned": "unimodal NEDS multi-session",
    "neds-decoding-finetuned": "unimodal NEDS multi-session",
    "neds-encoding-pretrained": "unimodal NEDS pretraining",
    "neds-decoding-pretrained": "unimodal NEDS pretraining",
    "neds-mm-scratch": "NEDS single-session",
    "neds-mm-finetuned": "NEDS multi-session",
    "neds-mm-pretrained": "NEDS pretraining",
}


def model_label(model: str, training: str) -> str:
    """One name for a model and how it was trained, e.g. neds-mm-finetuned-all; a baseline has no training."""
    return f"{model}-{training}" if training else model


def labels_of(table: pd.DataFrame) -> pd.Series:
    """The label of each row of a table with the columns model and training (empty or NaN for a baseline)."""
    pairs = zip(table["model"], table["training"], strict=True)
    labels = [model_label(model, training if isinstance(training, str) else "") for model, training in pairs]
    return pd.Series(labels, index=table.index, dtype=object)


def model_family(label: str) -> str:
    """The key of `MODEL_TITLES` that a label belongs to, whatever its pretraining set, number of trials and seed.

    A label that is not known here is its own family, less its seed.
    """
    run = Run.parse(label)
    return run.family if run else _without_seed(label)


def model_title(label: str) -> str:
    """What a model is called, e.g. "NEDS multi-session (two, 50 trials)"; a set of all sessions goes without saying."""
    family = model_family(label)
    baseline = shown_baselines(SAID).get(family)
    title = baseline.title if baseline else MODEL_TITLES.get(family, _without_seed(label))
    run = Run.parse(label)
    return f"{title} ({', '.join(run.details)})" if run and run.details else title


def in_order(labels: Iterable[str]) -> list[str]:
    """Model labels in the order of every legend: baselines, then NEDS, then what is not known here, by name."""
    own = shown_baselines(SAID).values()
    families = [baseline.name for baseline in own if baseline.rank < NEDS_RANK]
    families += [*MODEL_TITLES, *(baseline.name for baseline in own if baseline.rank >= NEDS_RANK)]
    ranks = {family: rank for rank, family in enumerate(families)}
    return sorted(labels, key=lambda label: (ranks.get(model_family(label), len(ranks)), label))


def _without_seed(label: str) -> str:
    return re.sub(r"-seed\d+$", "", label)
