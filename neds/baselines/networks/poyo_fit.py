"""POYO+ fitted to one session, or to many and then to one."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neds.baselines.fitting import Given
from neds.baselines.networks.fit import fit
from neds.baselines.networks.poyo import PoyoPlus
from neds.baselines.networks.settings import PoyoSettings
from neds.baselines.networks.spikes import spikes_of
from neds.baselines.networks.targets import READ, score_on_validation, store_of, targets_of
from neds.baselines.networks.weights import load_weights, write_weights
from neds.device import computing_device
from neds.evaluation.results import Predicted
from neds.evaluation.tasks import Task
from neds.files.aligned import AlignedSession

log = logging.getLogger(__name__)

_AT_ONCE = 64
"""Trials that are predicted at once."""


class PoyoFit:
    """A network, and the sessions that it is trained on."""

    def __init__(self, sessions: Sequence[AlignedSession], raw: Sequence[Path], settings: PoyoSettings):
        torch.manual_seed(settings.seed)
        self.settings, self._sessions = settings, list(sessions)
        self._store = store_of(sessions, device=computing_device(), baseline="poyo")
        self._spikes = [spikes_of(session, raw) for session in sessions]
        window_s = self._store.n_bins * self._store.bin_s
        self.targets = targets_of(self._store)
        self.network = PoyoPlus(settings, self._spikes, self.targets, window_s=window_s, bin_s=self._store.bin_s)
        self.network.to(self._store.device)

    @property
    def description(self) -> dict[str, Any]:
        """What must be alike for weights to be taken over."""
        modalities = [target.modality.model_dump(exclude={"label", "unit"}) for target in self.targets]
        bins = {"n_bins": self._store.n_bins, "bin_s": self._store.bin_s}
        return {"settings": self.settings.model_dump(), "targets": modalities, **bins}

    def train(self, what: str) -> None:
        """Train on the training trials; the validation trials choose the epoch."""
        fit(
            self.network,
            self.settings,
            batches=lambda rng: self._store.shuffled(
                "train", batch_size=self.settings.batch_size, balanced=False, rng=rng
            ),
            loss=lambda drawn: self._loss(*drawn),
            validation=self._validation,
            what=what,
        )

    @torch.inference_mode()
    def predict(self, session: int, trials: np.ndarray) -> dict[str, np.ndarray]:
        """Predictions of trials, by behaviour, as `neds.evaluation.score` takes them."""
        parts: dict[str, list[np.ndarray]] = {target.name: [] for target in self.targets}
        for start in range(0, len(trials), _AT_ONCE):
            chosen = [(self._spikes[session], trial) for trial in trials[start : start + _AT_ONCE]]
            outputs = self.network(self.network.tokens(chosen))
            for target in self.targets:
                parts[target.name].append(target.prediction(outputs[target.name], self._store, session))
        return {name: np.concatenate(arrays) for name, arrays in parts.items()}

    def _loss(self, sessions: np.ndarray, trials: np.ndarray) -> torch.Tensor:
        chosen = [(self._spikes[session], trial) for session, trial in zip(sessions, trials, strict=True)]
        outputs, batch = self.network(self.network.tokens(chosen)), self._store.batch(sessions, trials)
        weights = {
            t.name: 1.0 if t.modality.kind == "categorical" else self.settings.regression_weight for t in self.targets
        }
        return torch.stack([weights[t.name] * t.loss(outputs[t.name], batch) for t in self.targets]).sum()

    def _validation(self) -> float:
        predicted = [self.predict(index, own.trials_of("val")) for index, own in enumerate(self._sessions)]
        return score_on_validation(self._sessions, predicted)


def predict_poyo(session: AlignedSession, given: Given) -> list[Predicted]:
    """Decoding of the test trials by a network that is trained on this session, from pretrained weights where given."""
    fitted = PoyoFit([session], given.raw, given.settings.poyo)
    if not fitted.targets:
        return []
    start = given.pretrained
    if start and not load_weights(start, fitted.network, fitted.description, own=PoyoPlus.OWN):
        log.warning("%s: holds no weights, because no session of role train could be used", start)
        return []
    fitted.train(f"POYO+ of session {session.eid}")
    task = Task("decoding", (READ,), tuple(target.name for target in fitted.targets))
    return [Predicted(task, fitted.predict(0, session.trials_of("test")))]


def pretrain_poyo(sessions: Sequence[AlignedSession], given: Given, output: Path) -> None:
    """Train one network on all sessions and write what they share."""
    fitted = PoyoFit(sessions, given.raw, given.settings.poyo) if sessions else None
    if fitted is None or not fitted.targets:
        write_weights(output, {}, {})
        return
    fitted.train("POYO+ pretraining")
    shared = {n: p for n, p in fitted.network.named_parameters() if not n.startswith(PoyoPlus.OWN)}
    write_weights(output, shared, fitted.description)
