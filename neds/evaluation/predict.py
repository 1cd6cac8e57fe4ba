"""Predictions of a trained network for one session and task."""

import numpy as np
import torch

from neds.data.store import TrialStore, stacked_valid
from neds.evaluation.tasks import Task
from neds.model.masking import observe
from neds.model.network import NEDS
from neds.model.precision import Precision, autocast

_TRIALS_AT_ONCE = 64
_VALUES_AT_ONCE = 2**20
"""On a CPU, of the tokens of as many trials: 4 MB in fp32, which fit a cache."""


@torch.inference_mode()
def predict(
    model: NEDS, store: TrialStore, session: int, split: str, task: Task, precision: Precision = "fp32"
) -> dict[str, np.ndarray]:
    """Predict the task's targets from its observed modalities on all trials of a split, in the order of the file.

    Trials that look the same to the model, as many do where nothing but a choice is observed, are predicted once.

    Returns:
        For each target the array that `neds.evaluation.score` describes, float32.
    """
    was_training = model.training
    model.eval()
    parts: dict[str, list[np.ndarray]] = {name: [] for name in task.targets}
    modalities = list(model.design.modalities.values())
    trials, own_row = _distinct(model, store, session, split, task)
    at_once = _trials_at_once(model, store.device)
    for start in range(0, len(trials), at_once):
        chosen = trials[start : start + at_once]
        batch = store.batch(np.full(len(chosen), session), chosen)
        hidden = observe(modalities, stacked_valid(batch, model.design.modalities), set(task.observed))
        with autocast(store.device, precision):
            predictions = model(batch, hidden, task.targets)
        for name in task.targets:
            kind = model.design.modalities[name].kind
            if kind == "counts":
                value = predictions.log_rates[name].float().exp()
            elif kind == "continuous":
                value = store.unscaled(session, name, predictions.means[name].float())
            elif kind == "scalar":
                value = store.unscaled(session, name, predictions.scalars[name].float()[:, None])[:, 0]
            else:
                value = predictions.logits[name].float().softmax(-1)
            parts[name].append(value.cpu().numpy())
    model.train(was_training)
    return {name: np.concatenate(arrays)[own_row] for name, arrays in parts.items()}


def _trials_at_once(model: NEDS, device: torch.device) -> int:
    if device.type != "cpu":
        return _TRIALS_AT_ONCE
    return min(_TRIALS_AT_ONCE, max(1, _VALUES_AT_ONCE // (model.layout.n_tokens * model.design.settings.dim)))


def _distinct(
    model: NEDS, store: TrialStore, session: int, split: str, task: Task
) -> tuple[np.ndarray, np.ndarray | slice]:
    """Trials of a split that differ in what the task observes, and of each trial of the split its row among these.

    Values in bins are as good as never the same and are not compared.
    """
    trials = store.trials[session][split]
    if not all(model.design.modalities[name].per_trial for name in task.observed):
        return trials, slice(None)
    seen = np.column_stack([store.of_trials(session, trials, name).astype(np.float64) for name in task.observed])
    # What is unknown is hidden, and looks the same whatever it may be.
    seen = np.nan_to_num(seen, nan=np.inf)
    _, first, own_row = np.unique(seen, axis=0, return_index=True, return_inverse=True)
    return trials[first], own_row
