"""A GPU's memory: how many trials fit it, and what to do where it is too small."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from neds.data.store import TrialStore
from neds.errors import UserError
from neds.training.distributed import Processes, alone
from neds.training.settings import MemorySettings, TrainingRun
from neds.training.state import TrainingState
from neds.training.step import Parts, add_gradients
from neds.words import counted

log = logging.getLogger(__name__)


def trials_at_once(
    memory: MemorySettings,
    state: TrainingState,
    store: TrialStore,
    run: TrainingRun,
    scales: dict[str, Tensor],
    processes: Processes,
    n_own: int,
    description: str,
    *,
    alike: bool = False,
) -> int:
    """Trials of a batch whose activations this process holds at once, the same number in all processes.

    A run that is resumed keeps what it began with as long as that fits. What is found goes into its progress.

    Args:
        n_own: trials of the largest batch that this process goes through.
        description: name of the run in its messages.
        alike: as in `Parts`.

    Raises:
        UserError: a GPU's memory is too small for a single trial.
    """
    if memory.trials_at_once != "auto":
        at_once = min(memory.trials_at_once, n_own)
    else:
        before = state.progress.trials_at_once
        at_once = most = min(before or n_own, n_own)
        if processes.device.type == "cuda":
            with explained(description, 1):
                step = trial_step(state, store, run, scales, most, alike=alike)
                at_once = processes.least(trials_that_fit(step, most))
        if before and at_once < most:
            log.warning(
                "%s: began with %d trials at once, of which %d fit this GPU: it goes on with these, though it rounds sums "
                "otherwise and dropout draws other values",
                *(description, before, at_once),
            )
        elif at_once < n_own:
            log.info("%s: goes through the %d trials of a batch with %d at once", description, n_own, at_once)
    state.progress.trials_at_once = at_once
    return at_once


def trials_that_fit(step: Callable[[int], None], n_trials: int) -> int:
    """The first of `n_trials`, its half, its quarter and so on with which `step` does not run out of memory.

    Raises:
        torch.OutOfMemoryError: `step` ran out of memory with a single trial.
    """
    while True:
        try:
            step(n_trials)
            return n_trials
        except torch.OutOfMemoryError:
            if n_trials == 1:
                raise
        # Here, because the tensors of the failed step live as long as its exception is handled.
        torch.cuda.empty_cache()
        n_trials = -(-n_trials // 2)


def trial_step(
    state: TrainingState,
    store: TrialStore,
    run: TrainingRun,
    scales: dict[str, Tensor],
    n_trials: int,
    *,
    alike: bool = False,
) -> Callable[[int], None]:
    """A step that changes nothing, as a function of how many trials it holds at once: the gradients of `n_trials` of the
    widest session, beside room for the gradients that processes exchange and, until the first step has made them, for the
    optimiser's two moments.
    """
    sessions, trials = store.widest("train", n_trials)
    n_weights = sum(parameter.numel() for parameter in state.model.parameters())

    def step(at_once: int) -> None:
        room = torch.empty(1 if state.has_stepped else 3, n_weights, device=store.device)
        state.model.train()
        try:
            parts = Parts(at_once, alike=alike)
            add_gradients(state.model, state, store, sessions, trials, run, scales, alone(store.device), parts)
        finally:
            state.model.zero_grad(set_to_none=True)
            del room

    return step


@contextmanager
def explained(description: str, at_once: int) -> Iterator[None]:
    """Say in one line what to set where the block runs out of a GPU's memory.

    Args:
        description: name of the run.
        at_once: trials whose activations are held at once.

    Raises:
        UserError: the block ran out of memory.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        log.debug("%s", error)
        fewer = [f"training.trials_at_once {at_once // 2} or less"] if at_once > 1 else []
        advice = [
            *fewer,
            "training.recompute true",
            "a smaller model",
            "a GPU with more memory or to itself (gpu_percent)",
        ]
        raise UserError(
            f"{description}: the GPU's memory is too small for {counted(at_once, 'trial')} at once; try "
            + ", ".join(advice)
        ) from None
