"""One step of training: the gradients of a batch, gone through in parts of as many trials as memory holds.

Shapes: B trials of this process's rows of a batch, T bins.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from neds.data.store import TrialStore, stacked_valid
from neds.model.batch import Batch
from neds.model.loss import loss_terms, target_numbers, total_loss
from neds.model.precision import autocast
from neds.training.distributed import Processes
from neds.training.drawn import Drawn, drawn_parts
from neds.training.graphs import StepGraphs
from neds.training.settings import TrainingRun
from neds.training.state import TrainingState


@dataclass(frozen=True)
class _Part:
    """What the network and the loss get of trials that go through the network together.

    Attributes:
        batch: without the units that the network must not see.
        hidden: (B, all modalities, T) what else it must not see.
        target: (B, T) of each modality, what it is scored on.
        target_units: (B, N) of modalities of which it may be scored on some units alone.
    """

    batch: Batch
    hidden: Tensor
    target: dict[str, Tensor]
    target_units: Mapping[str, Tensor]


@dataclass(frozen=True)
class Parts:
    """How the trials of a batch go through the network.

    Attributes:
        at_once: trials of a part.
        alike: whether parts of as many trials have the same shapes, whichever sessions they are of.
        graphs: records steps and replays them; the trials must be alike, or of one session.
    """

    at_once: int
    alike: bool = False
    graphs: StepGraphs | None = None


def add_gradients(
    network: nn.Module,
    state: TrainingState,
    store: TrialStore,
    sessions: np.ndarray,
    trials: np.ndarray,
    run: TrainingRun,
    scales: dict[str, Tensor],
    processes: Processes,
    parts: Parts,
) -> Tensor:
    """Add the gradients of this process's rows of a batch to those of the parameters.

    The numbers of targets are counted before anything is predicted, so that every part divides by those of the whole batch.
    Nothing here waits for a GPU.

    Args:
        network: `state.model`, or what wraps it.
        sessions, trials: rows of the whole batch, of all processes.
        scales: factors of the losses, of `neds.training.scaling.loss_scales`.
        parts: in which this process's rows go through the network.

    Returns:
        (2, outputs) sums of the loss, and numbers of values in them, over the whole batch.
    """
    # Seeded at every step, so that a run can go on from any.
    place = [run.seed, state.progress.epoch, state.progress.batch]
    seed = int(np.random.SeedSequence(place).generate_state(1)[0])
    own = processes.own_rows(len(trials))
    drawn = drawn_parts(
        state.model.design, store, sessions, trials, run.masking, own, parts.at_once, seed, alike=parts.alike
    )
    gradients = partial(_add_gradients, network, state, store, run, scales, processes)
    if parts.graphs is not None:
        return parts.graphs.replayed(drawn, gradients, seed=seed + processes.rank)
    torch.manual_seed(seed + processes.rank)
    return gradients(drawn)


def _add_gradients(
    network: nn.Module,
    state: TrainingState,
    store: TrialStore,
    run: TrainingRun,
    scales: dict[str, Tensor],
    processes: Processes,
    drawn: Sequence[Drawn],
) -> Tensor:
    """`add_gradients` of what was drawn: the work of the device."""
    design, settings, outputs = state.model.design, run.training, state.outputs
    parts = [_part(each, state, store) for each in drawn]
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
                design.modalities,
                predictions,
                part.batch,
                part.target,
                target_units=part.target_units,
                scales=scales,
                per_token=per_token,
            )
            total_loss({name: (terms[name][0], shares[name]) for name in outputs}, settings.loss_weights).backward()
            sums += torch.stack([terms[name][0].detach() for name in outputs])
    return torch.stack([processes.sum(sums), numbers])


def _part(drawn: Drawn, state: TrainingState, store: TrialStore) -> _Part:
    design, batch = state.model.design, store.batch_of(drawn.chosen)
    known = drawn.mask.where_known(stacked_valid(batch, design.modalities), batch.columns)
    target = dict(zip(design.modalities, known.target.unbind(1), strict=True))
    return _Part(batch.without_units(known.hidden_units), known.hidden, target, known.target_units)


def _numbers(part: _Part, state: TrainingState, *, per_token: bool) -> Tensor:
    """Numbers of targets, (outputs,)."""
    numbers = target_numbers(
        state.model.design.modalities,
        part.batch,
        part.target,
        target_units=part.target_units,
        per_token=per_token,
    )
    return torch.stack([numbers[name] for name in state.outputs]).float()


def _exchange(network: nn.Module, *, after: bool) -> AbstractContextManager[None]:
    """Whether the processes average their gradients after the block, which they do once a step."""
    return nullcontext() if after or not isinstance(network, DistributedDataParallel) else network.no_sync()
