"""Predictions of a trained network for one session and task."""

import numpy as np
import torch

from neds.data.store import TrialStore, stacked_valid
from neds.evaluation.tasks import Task
from neds.model.masking import observe
from neds.model.network import NEDS

_TRIALS_AT_ONCE = 64


@torch.inference_mode()
def predict(model: NEDS, store: TrialStore, session: int, split: str, task: Task) -> dict[str, np.ndarray]:
    """Predict the task's targets from its observed modalities on all trials of a split, in the order of the file.

    Returns:
        For each target the array that `neds.evaluation.score` describes, float32.
    """
    was_training = model.training
    model.eval()
    parts: dict[str, list[np.ndarray]] = {name: [] for name in task.targets}
    modalities = list(model.design.modalities.values())
    for batch in store.in_order(session, split, batch_size=_TRIALS_AT_ONCE):
        hidden = observe(modalities, stacked_valid(batch, model.design.modalities), set(task.observed))
        predictions = model(batch, hidden)
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
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}
