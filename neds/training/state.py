"""The state of a training: all that changes while it runs."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neds.model.network import NEDS
from neds.training.distributed import Processes
from neds.training.resume import Progress, load_state, save_state
from neds.training.selection import Explained
from neds.training.sessions import SessionParameters
from neds.training.settings import TrainingSettings
from neds.training.validate import Validation

OWN, SHARED = "session", "shared"
"""Parts of a network with learning rates of their own: the maps of each session, and what sessions share."""


class TrainingState:
    """A network on its way: it steps, is judged, and is saved and loaded as one.

    Attributes:
        model: the network.
        progress: where the training stands.
        best: weights of the best validation so far; those of the start before there is one.
        loss_sums: (2, outputs) over the batches of this epoch: sums of the loss, and numbers of values in them.
    """

    def __init__(
        self,
        model: NEDS,
        optimizers: Sequence[torch.optim.Optimizer],
        settings: TrainingSettings,
        *,
        steps_per_epoch: int,
        device: torch.device,
        own: SessionParameters | None = None,
    ):
        """
        Args:
            optimizers: of the model's parameters that are trained; their groups have a `part`, `OWN` or `SHARED`.
            device: of the model.
            own: what the optimisers step in the place of the stitchers' parameters.
        """
        self.model = model
        self._parameters = list(model.parameters())
        self.progress = Progress()
        self.best = self.weights()
        self.outputs = [name for name in model.design.modalities if name in model.design.mode.outputs]
        self.loss_sums = torch.zeros(2, len(self.outputs), device=device)
        self._optimizers = optimizers
        self._own = own
        self._settings = settings
        self._steps_per_epoch = steps_per_epoch
        self._schedulers = [
            torch.optim.lr_scheduler.OneCycleLR(
                optimizer,
                max_lr=[group["lr"] for group in optimizer.param_groups],
                total_steps=settings.epochs * steps_per_epoch,
                pct_start=settings.warmup,
                div_factor=settings.div_factor,
                cycle_momentum=settings.cycled_beta1,
                base_momentum=0.85,
                max_momentum=0.95,
            )
            for optimizer in optimizers
        ]
        self._latest: Validation | None = None
        self._started_s = time.monotonic()

    def __str__(self) -> str:
        progress, settings = self.progress, self._settings
        return f"epoch {progress.epoch} of {settings.epochs} and {progress.batch} of {self._steps_per_epoch} batches"

    @property
    def seconds(self) -> float:
        """Training time so far, over all parts of the run."""
        return time.monotonic() - self._started_s

    @property
    def share_of_epoch_left(self) -> float:
        return 1 - self.progress.batch / self._steps_per_epoch

    @property
    def has_stepped(self) -> bool:
        return self.progress.step + self.progress.batch > 0

    @property
    def has_ended(self) -> bool:
        return self.progress.epoch >= self._settings.epochs

    @property
    def has_lost_patience(self) -> bool:
        patience = self._settings.patience
        return patience is not None and self.progress.validations_since_best >= patience

    @property
    def is_due_for_validation(self) -> bool:
        return self.has_ended or self.progress.epoch % self._settings.validate_every == 0

    @property
    def is_finite(self) -> bool:
        """Whether all weights are."""
        return bool(torch.stack([parameter.isfinite().all() for parameter in self._parameters]).all())

    def step(self, batch_sums: torch.Tensor, *, present: Iterable[int]) -> None:
        """One step of the optimisers, by the gradients that the parameters have, and of the learning rates.

        Args:
            batch_sums: (2, outputs) what the batch adds to `loss_sums`.
            present: sessions of the batch.
        """
        self.loss_sums += batch_sums
        if self._settings.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self._settings.gradient_clip)
        if self._own is not None:
            self._own.take_gradients(present)
        for optimizer, scheduler in zip(self._optimizers, self._schedulers, strict=True):
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            scheduler.step()
        for parameter in self._parameters:
            parameter.grad = None
        self.progress.batch += 1

    def end_epoch(self) -> dict[str, float]:
        """Close an epoch; mean loss per masked value, in all and by modality."""
        sums = zip(self.outputs, *self.loss_sums, strict=True)
        means = {name: float(total / number) for name, total, number in sums if number > 0}
        weighted = sum(self._settings.loss_weights.get(name, 1.0) * value for name, value in means.items())
        self.loss_sums.zero_()
        self.progress.batch = 0
        self.progress.epoch += 1
        self.progress.step += self._steps_per_epoch
        return {"loss": weighted} | {f"loss_{name}": value for name, value in means.items()}

    def judge(self, validation: Validation) -> None:
        """Keep the weights if this validation is the best so far, by `keep`; one without a score says nothing."""
        progress = self.progress
        self._latest = validation
        if not np.isfinite(validation.score):
            return
        explained = Explained.of(validation.deviance)
        if progress.explained:
            explained = self._explained.or_more(explained)
        progress.explained = [explained.share.tolist(), explained.error.tolist()]
        if progress.best_score is None or self._is_better(validation):
            progress.validations_since_best = 0
            self.keep_as_best(validation)
        else:
            progress.validations_since_best += 1

    def _is_better(self, validation: Validation) -> bool:
        progress, keep = self.progress, self._settings.keep
        if keep == "last_unless_worse":
            return float(self._more_left(validation).mean()) < 0
        return keep == "last" or validation.score > (progress.best_score or 0.0)

    @property
    def _explained(self) -> Explained:
        return Explained(*map(np.array, self.progress.explained))

    def _more_left(self, validation: Validation) -> np.ndarray:
        """How much more deviance a validation left than the best one, by trial."""
        return self._explained.more_left(validation.deviance, np.array(self.progress.best_deviance))

    def settle(self) -> None:
        """At the end, by `last_unless_worse`: keep the last weights unless they left more deviance than the best ones did,
        by more than the standard error of the difference over trials.
        """
        latest = self._latest
        if self._settings.keep != "last_unless_worse" or latest is None or not np.isfinite(latest.score):
            return
        more = self._more_left(latest)
        if more.mean() <= (more.std(ddof=1) / len(more) ** 0.5 if len(more) > 1 else 0.0):
            self.keep_as_best(latest)

    def keep_as_best(self, validation: Validation | None = None) -> None:
        """Keep the weights as they are, and the validation that they had."""
        self.best, self.progress.best_epoch = self.weights(), self.progress.epoch
        if validation is not None:
            self.progress.best_score, self.progress.best_deviance = validation.score, validation.deviance.tolist()

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the weights."""
        return {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def learning_rates(self) -> dict[str, float]:
        """`lr` of the sessions' own maps and `lr_shared` of what sessions share; 0 where that is frozen."""
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        rates = {group["part"]: group["lr"] for group in groups}
        return {"lr": rates.get(OWN, 0.0), "lr_shared": rates.get(SHARED, 0.0)}

    def save(self, path: Path, *, fingerprint: str) -> None:
        self.progress.seconds, self.progress.loss_sums = self.seconds, self.loss_sums.tolist()
        save_state(path, fingerprint=fingerprint, progress=self.progress, best=self.best, **self._parts())

    def load(self, path: Path, *, fingerprint: str, same_torch: bool, processes: Processes) -> bool:
        """Go on from a saved state of this very run; whether there was one. Without one nothing changes."""
        found = load_state(path, fingerprint=fingerprint, same_torch=same_torch, processes=processes, **self._parts())
        if found is None:
            return False
        self.progress, self.best = found
        if self.progress.batch:
            self.loss_sums += torch.tensor(self.progress.loss_sums, device=self.loss_sums.device)
        self._started_s = time.monotonic() - self.progress.seconds
        return True

    def _parts(self) -> dict[str, Any]:
        return {"model": self.model, "optimizers": self._optimizers, "schedulers": self._schedulers}
