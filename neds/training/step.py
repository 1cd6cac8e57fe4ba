"""One step of training: the gradients of a batch, gone through in parts of as many trials as memory holds.

Shapes: B trials of this process's rows of a batch, T bins.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from neds.data.store import TrialStore, stacked_valid
from neds.device import sent
from neds.model.batch import Batch
from neds.model.loss import loss_terms, target_numbers, total_loss
from neds.model.masking import Mask, draw_masks
from neds.model.precision import autocast
from neds.training.distributed import Processes
from neds.training.settings import TrainingRun
from neds.training.state import TrainingState


@dataclass(frozen=True)
class _Part:
    """Trials that go through the network together.

    Attributes:
        hidden: (B, all modalities, T) what the network must not see.
        target: (B, T) of each modality, what it is scored on.
    """

    batch: Batch
    hidden: Tensor
    target: dict[str, Tensor]


def add_gradients(
    network: nn.Module,
    state: TrainingState,
    store: TrialStore,
    sessions: np.ndarray,
    trials: np.ndarray,
    run: TrainingRun,
    scales: dict[str, Tensor],
    processes: Processes,
    at_once: int,
) -> Tensor:
    """Add the gradients of this process's rows of a batch to those of the parameters.

    The numbers of targets are counted before anything is predicted, so that every part divides by those of the whole batch.
    Nothing here waits for a GPU.

    Args:
        network: `state.model`, or what wraps it.
        sessions, trials: rows of the whole batch, of all processes.
        scales: factors of the losses, of `neds.training.scaling.loss_scales`.
        at_once: trials of a part.

    Returns:
        (2, outputs) sums of the loss, and numbers of values in them, over the whole batch.
    """
    design, settings, outputs = state.model.design, run.training, state.outputs
    parts = list(_parts(state, store, sessions, trials, run, processes, at_once))
    per_token = settings.loss_scaling != "standardised"
    numbers = processes.sum(torch.stack([_numbers(part, state, per_token=per_token) for part in parts]).sum(0))
    # The gradients of the processes are averaged, so each divides by its share of the whole batch's number.
    shares = dict(zip(outputs, numbers / processes.count, strict=True))
    sums = torch.zeros_like(numbers)
    for index, part in enumerate(parts):
        with _exchange(network, after=index == len(parts) - 1):
            with autocast(store.device, state.progress.precision):
                predictions = network(part.batch, part.hidden)
            terms = loss_terms(
                design.modalities, predictions, part.batch, part.target, scales=scales, per_token=per_token
            )
            total_loss({name: (terms[name][0], shares[name]) for name in outputs}, settings.loss_weights).backward()
            sums += torch.stack([terms[name][0].detach() for name in outputs])
    return torch.stack([processes.sum(sums), numbers])


def _parts(
    state: TrainingState,
    store: TrialStore,
    sessions: np.ndarray,
    trials: np.ndarray,
    run: TrainingRun,
    processes: Processes,
    at_once: int,
) -> Iterator[_Part]:
    """This process's rows of a batch, `at_once` at a time, with the masks that the whole batch draws."""
    design = state.model.design
    # Seeded at every step, so that a run can go on from any.
    place = [run.seed, state.progress.epoch, state.progress.batch]
    seed = int(np.random.SeedSequence(place).generate_state(1)[0])
    torch.manual_seed(seed + processes.rank)
    # Every process draws the masks of the whole batch, so that they do not depend on how it is cut.
    mask = draw_masks(
        list(design.modalities.values()),
        n_trials=len(trials),
        n_bins=store.n_bins,
        scheme_weights=design.mode.scheme_weights,
        ratio=run.masking.ratio,
        single_behaviour=run.masking.single_behaviour,
        generator=torch.Generator().manual_seed(seed),
    )
    own = processes.own_rows(len(trials))
    if not len(own):
        # A process without a trial joins the others' step with one that has no target.
        own = np.zeros(1, dtype=np.int64)
        mask = Mask(mask.hidden, torch.zeros_like(mask.target))
    for start in range(0, len(own), at_once):
        rows = own[start : start + at_once]
        batch = store.batch(sessions[rows], trials[rows])
        of_rows = mask.rows(torch.from_numpy(rows))
        hidden, target = sent(torch.stack([of_rows.hidden, of_rows.target]), store.device)
        known = Mask(hidden, target).where_known(stacked_valid(batch, design.modalities))
        yield _Part(batch, known.hidden, dict(zip(design.modalities, known.target.unbind(1), strict=True)))


def _numbers(part: _Part, state: TrainingState, *, per_token: bool) -> Tensor:
    """Numbers of targets, (outputs,)."""
    numbers = target_numbers(state.model.design.modalities, part.batch, part.target, per_token=per_token)
    return torch.stack([numbers[name] for name in state.outputs]).float()


def _exchange(network: nn.Module, *, after: bool) -> AbstractContextManager[None]:
    """Whether the processes average their gradients after the block, which they do once a step."""
    return nullcontext() if after or not isinstance(network, DistributedDataParallel) else network.no_sync()
