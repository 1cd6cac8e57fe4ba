"""NDT2 fitted to one session, or to many and then to one: without behaviours first, then a decoder of each behaviour."""

import logging
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neds.baselines.fitting import Given
from neds.baselines.networks.fit import fit
from neds.baselines.networks.ndt2 import BehaviourDecoder, Ndt2
from neds.baselines.networks.settings import Ndt2Settings
from neds.baselines.networks.targets import READ, Target, score_on_validation, store_of, targets_of
from neds.baselines.networks.weights import load_weights, write_weights
from neds.device import computing_device
from neds.evaluation.results import Predicted
from neds.evaluation.tasks import Task
from neds.files.aligned import AlignedSession

log = logging.getLogger(__name__)

_AT_ONCE = 64
"""Trials that are encoded at once."""
_VALIDATION_MASKS = 4


class Ndt2Fit:
    """A network, and the sessions that it is trained on."""

    def __init__(self, sessions: Sequence[AlignedSession], settings: Ndt2Settings):
        torch.manual_seed(settings.seed)
        self._settings, self._sessions = settings, list(sessions)
        self._store = store_of(sessions, device=computing_device(), baseline="ndt2")
        self.targets = targets_of(self._store)
        means = [torch.as_tensor(session.statistics[READ]["mean"], dtype=torch.float32) for session in sessions]
        self.network = Ndt2(settings, means, n_bins=self._store.n_bins).to(self._store.device)
        self._masks = torch.Generator().manual_seed(settings.seed)

    @property
    def description(self) -> dict[str, Any]:
        """What must be alike for weights to be taken over."""
        settings = self._settings.model_dump(exclude={"decoder_lrs"})
        return {"settings": settings, "n_bins": self._store.n_bins, "bin_s": self._store.bin_s}

    def train_on_spikes(self, what: str) -> None:
        """Self-supervised training on the training trials."""
        fit(
            self.network,
            self._settings,
            batches=self._batches,
            loss=lambda drawn: self._hidden_loss(*drawn, self._masks),
            validation=self._validation_on_spikes,
            what=what,
        )

    def decode(self, target: Target) -> np.ndarray:
        """Predictions of the first session's test trials by the decoder, of all learning rates, that validation prefers."""
        fitted = [self._decoded(target, lr) for lr in self._settings.decoder_lrs]
        best = max(range(len(fitted)), key=lambda place: np.nan_to_num(fitted[place][0], nan=-np.inf))
        return fitted[best][1]

    def _decoded(self, target: Target, lr: float) -> tuple[float, np.ndarray]:
        """Score of a decoder in validation, and its predictions of the test trials."""
        session, (encoded, times) = self._sessions[0], self._encoded
        torch.manual_seed(self._settings.seed)
        decoder = BehaviourDecoder(self._settings, target).to(self._store.device)

        def predicted(split: str) -> np.ndarray:
            return target.prediction(decoder(encoded[session.trials_of(split)], times), self._store, 0)

        def loss(drawn: tuple[int, np.ndarray]) -> Tensor:
            trials = drawn[1]
            return target.loss(decoder(encoded[trials], times), self._store.batch(np.zeros(len(trials), int), trials))

        score = fit(
            decoder,
            self._settings,
            batches=self._batches,
            loss=loss,
            validation=lambda: score_on_validation([session], [{target.name: predicted("val")}]),
            what=f"NDT2 of session {session.eid}, {target.name} at rate {lr:g}",
            lr=lr,
        )
        with torch.inference_mode():
            return score, predicted("test")

    def _batches(self, rng: np.random.Generator) -> Iterator[tuple[int, np.ndarray]]:
        """Batches of one session each, as (session, trials), in random order."""
        size = self._settings.batch_size
        drawn = [
            (index, trials[start : start + size])
            for index, own in enumerate(self._store.trials)
            for trials in [rng.permutation(own["train"])]
            for start in range(0, len(trials), size)
        ]
        return (drawn[place] for place in rng.permutation(len(drawn)))

    def _hidden_loss(self, session: int, trials: np.ndarray, masks: torch.Generator) -> Tensor:
        batch = self._store.batch(np.full(len(trials), session), trials)
        return self.network.hidden_loss(batch.scaled_counts[READ], batch.counts[READ], session, masks)

    def _validation_on_spikes(self) -> float:
        masks = torch.Generator().manual_seed(0)
        losses = [
            self._hidden_loss(index, own["val"], masks)
            for index, own in enumerate(self._store.trials)
            for _ in range(_VALIDATION_MASKS)
        ]
        return -float(torch.stack(losses).mean())

    @cached_property
    @torch.no_grad()
    def _encoded(self) -> tuple[Tensor, Tensor]:
        """Tokens (K, P, D) of all trials of the first session by the trained network, and their times (P,)."""
        self.network.eval()
        n_trials = self._sessions[0].n_trials
        parts = []
        for trials in np.array_split(np.arange(n_trials), -(-n_trials // _AT_ONCE)):
            batch = self._store.batch(np.zeros(len(trials), int), trials)
            encoded, times = self.network.encode(batch.scaled_counts[READ], 0)
            parts.append(encoded)
        return torch.cat(parts), times


def predict_ndt2(session: AlignedSession, given: Given) -> list[Predicted]:
    """Decoding of the test trials by a network that is trained on this session, from pretrained weights where given."""
    fitted = Ndt2Fit([session], given.settings.ndt2)
    start = given.pretrained
    if start and not load_weights(start, fitted.network, fitted.description, own=Ndt2.OWN):
        log.warning("%s: holds no weights, because no session of role train could be used", start)
        return []
    if not fitted.targets:
        return []
    fitted.train_on_spikes(f"NDT2 of session {session.eid}, spikes")
    task = Task("decoding", (READ,), tuple(target.name for target in fitted.targets))
    return [Predicted(task, {target.name: fitted.decode(target) for target in fitted.targets})]


def pretrain_ndt2(sessions: Sequence[AlignedSession], given: Given, output: Path) -> None:
    """Train one network on the spikes of all sessions and write what they share."""
    if not sessions:
        write_weights(output, {}, {})
        return
    fitted = Ndt2Fit(sessions, given.settings.ndt2)
    fitted.train_on_spikes("NDT2 pretraining")
    shared = {n: p for n, p in fitted.network.named_parameters() if not n.startswith(Ndt2.OWN)}
    write_weights(output, shared, fitted.description)
