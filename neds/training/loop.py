"""The training loop: one for pretraining, training from scratch and fine-tuning."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from neds.data.store import TrialStore
from neds.errors import Interrupted, UserError
from neds.files.aligned import AlignedSession
from neds.model.network import NEDS
from neds.model.precision import Precision, faster_precision
from neds.training.compiling import compiles
from neds.training.distributed import Processes
from neds.training.graphs import StepGraphs, why_not_recorded
from neds.training.memory import explained, trials_at_once
from neds.training.muon import Muon
from neds.training.report import Report
from neds.training.resume import StateSaver
from neds.training.scaling import loss_scales
from neds.training.sessions import SessionParameters
from neds.training.settings import MemorySettings, TrainingRun, TrainingSettings
from neds.training.state import OWN, SHARED, TrainingState
from neds.training.step import Parts, add_gradients
from neds.training.validate import can_be_scored, validate

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unfinished:
    """How a training is kept while it is unfinished, and asked to stop.

    Attributes:
        path: file of its state.
        fingerprint: identity of the run (settings, data, code).
        every_s: least time between two saved states.
        same_torch: do not go on from a state that another major or minor version of torch saved.
        should_stop: asked after every step, in every process.
    """

    path: Path
    fingerprint: str
    every_s: float = 60.0
    same_torch: bool = False
    should_stop: Callable[[], bool] = lambda: False


def train(
    model: NEDS,
    store: TrialStore,
    sessions: list[AlignedSession],
    run: TrainingRun,
    *,
    memory: MemorySettings,
    unfinished: Unfinished,
    processes: Processes,
    description: str,
    on_validation: Callable[[list[dict]], None] = lambda rows: None,
) -> TrainingState:
    """Train `model` in place on the training trials of `sessions`, which `store` holds.

    Every step is a function of (seed, epoch, batch, weights, optimiser state) alone, so a run that is killed and started
    again with the same fingerprint ends with the same weights as one that was not (bit for bit on a CPU). Several processes
    take equal parts of every batch and end with the same weights, and each goes through its own in as many parts as memory
    wants; without dropout the weights are those of one process with one part, up to rounding.

    Args:
        run: of which masking, training and seed count.
        memory: how the steps fit into it.
        processes: this process and those it trains together with.
        description: name of the run in its progress messages.
        on_validation: called with all log rows after each validation, in the first process.

    Returns:
        The state at the end; where the validation trials of no session can be scored, the last weights are also the best.

    Raises:
        UserError: training diverged: its loss, its weights or, in every validation, its predictions are not finite; or the
            GPU ran out of memory.
        Interrupted: `unfinished.should_stop` said so. The state is saved, and the same call goes on from it.
    """
    settings = run.training
    state = _beginning(model, store, settings)
    model.encoder.recomputes = memory.recompute
    report = Report(description, settings, on_validation=on_validation, is_first=processes.is_first)
    if state.load(
        unfinished.path, fingerprint=unfinished.fingerprint, same_torch=unfinished.same_torch, processes=processes
    ):
        log.info("%s: resumed after %s, in %s", description, state, state.progress.precision)
    else:
        state.progress.precision = _precision(model, settings, store.device, processes, description)
    network = DistributedDataParallel(model) if processes.count > 1 else model
    saver = StateSaver(
        lambda: state.save(unfinished.path, fingerprint=unfinished.fingerprint),
        every_s=unfinished.every_s,
        should_stop=unfinished.should_stop,
        processes=processes,
    )
    scales = loss_scales(sessions, store.modalities, settings, device=store.device)
    trials_per_epoch = store.n_shuffled("train", balanced=_balanced(settings))
    model.encoder.compiles = compiles(
        memory,
        model,
        store.device,
        n_trials=trials_per_epoch * settings.epochs,
        description=description,
        is_first=processes.is_first,
    )
    n_own = -(-min(settings.batch_size, trials_per_epoch) // processes.count)
    graphs = _graphs(model, store, memory, processes, n_own, description)
    alike = graphs is not None and len(store.eids) > 1
    at_once = trials_at_once(memory, state, store, run, scales, processes, n_own, description, alike=alike)
    parts = Parts(at_once, alike=alike, graphs=graphs)
    with report.bar(state), explained(description, at_once):
        while not state.has_ended:
            if state.has_lost_patience:
                log.info("%s: stopped early at epoch %d", description, state.progress.epoch)
                break
            with report.epoch(state.share_of_epoch_left * trials_per_epoch):
                model.train()
                for sessions_drawn, trials in _batches(store, run, state):
                    rows = sessions_drawn, trials
                    sums = add_gradients(network, state, store, *rows, run, scales, processes, parts)
                    state.step(sums, present=np.unique(sessions_drawn))
                    if saver.after_step():
                        raise Interrupted(
                            f"{description}: stopped after {state}; its state is saved, start it again to go on"
                        )
                losses = state.end_epoch()
            _require_finite(state, losses, settings, description)
            if state.is_due_for_validation:
                judged = partial(
                    validate,
                    model,
                    store,
                    sessions,
                    processes,
                    state.progress.precision,
                    will_calibrate=settings.calibration,
                )
                validation = graphs.with_room(judged) if graphs else judged()
                state.progress.seconds = state.seconds
                state.judge(validation)
                report.validated(state, losses, validation.scores)
    if state.progress.best_score is None:
        if can_be_scored(model, sessions):
            what = f"predictions are not finite in any validation up to epoch {state.progress.epoch}"
            raise UserError(_diverged(f"{description}: {what}", settings))
        log.warning("%s: nothing in the validation trials can be scored, so the last weights are the best", description)
        state.keep_as_best()
    state.settle()
    return state


def _beginning(model: NEDS, store: TrialStore, settings: TrainingSettings) -> TrainingState:
    _freeze(model, settings.freeze)
    steps = store.n_batches("train", batch_size=settings.batch_size, balanced=_balanced(settings))
    is_absent_at_times = len(store.eids) > 1
    own = SessionParameters(model) if is_absent_at_times and settings.absent_sessions == "untouched" else None
    optimizers = _optimizers(model, settings, own)
    return TrainingState(model, optimizers, settings, steps_per_epoch=steps, device=store.device, own=own)


def _graphs(
    model: NEDS, store: TrialStore, memory: MemorySettings, processes: Processes, n_own: int, description: str
) -> StepGraphs | None:
    """What records the steps on a GPU, where they can be recorded."""
    n_trials = n_own if memory.trials_at_once == "auto" else min(n_own, memory.trials_at_once)
    if reason := why_not_recorded(model, store, memory, processes, n_trials=n_trials):
        if processes.device.type == "cuda" and processes.is_first:
            log.info("%s: its steps are not recorded as CUDA graphs: %s", description, reason)
        return None
    return StepGraphs(model.parameters(), description)


def _precision(
    model: NEDS, settings: TrainingSettings, device: torch.device, processes: Processes, description: str
) -> Precision:
    """The precision to train in. The first process measures for all, which must compute alike."""
    if settings.precision != "auto":
        return settings.precision
    size = {"n_trials": -(-settings.batch_size // processes.count), "n_tokens": model.layout.n_tokens}
    chosen: Precision = "fp32"
    if processes.is_first:
        chosen, why = faster_precision(device, model.design.settings, **size)
        log.info("%s: computes in %s: %s", description, chosen, why)
    return "bf16" if processes.from_first(chosen.encode()) == b"bf16" else "fp32"


def _batches(store: TrialStore, run: TrainingRun, state: TrainingState) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Session and trial of each row of the batches that are left of this epoch."""
    settings, progress = run.training, state.progress
    batches = store.shuffled(
        "train",
        batch_size=settings.batch_size,
        balanced=_balanced(settings),
        rng=np.random.default_rng([run.seed, progress.epoch]),
    )
    return islice(batches, progress.batch, None)


def _balanced(settings: TrainingSettings) -> bool:
    return settings.sampling == "sessions"


def _freeze(model: NEDS, part: str) -> None:
    for name, parameter in model.named_parameters():
        is_of = {"none": False, "encoder": name.startswith("encoder."), "shared": not name.startswith("stitchers.")}
        parameter.requires_grad_(not is_of[part])


def _optimizers(
    model: NEDS, settings: TrainingSettings, own: SessionParameters | None = None
) -> list[torch.optim.Optimizer]:
    """Each for parameters of its own, in groups of a part and a weight decay."""
    by_muon: dict[tuple[str, float], list[nn.Parameter]] = {}
    by_adamw: dict[tuple[str, float], list[nn.Parameter]] = {}
    of_norms = {id(p) for module in model.modules() if isinstance(module, nn.LayerNorm) for p in module.parameters()}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part = OWN if name.startswith("stitchers.") else SHARED
            is_matrix = name.endswith("weight") and id(parameter) not in of_norms
            members = own.by_name[name] if own and part == OWN else [parameter]
            of_encoder = is_matrix and name.startswith("encoder.")
            groups = by_muon if of_encoder and settings.optimiser == "muon" else by_adamw
            groups.setdefault((part, settings.weight_decay if is_matrix else 0.0), []).extend(members)
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(_groups(by_adamw, settings), fused=True)]
    return [*optimizers, Muon(_groups(by_muon, settings))] if by_muon else optimizers


def _groups(
    parameters: dict[tuple[str, float], list[nn.Parameter]], settings: TrainingSettings
) -> list[dict[str, Any]]:
    rates = {OWN: settings.lr, SHARED: settings.lr * settings.shared_lr}
    return [
        {"params": members, "lr": rates[part], "weight_decay": decay, "part": part}
        for (part, decay), members in parameters.items()
    ]


def _require_finite(
    state: TrainingState, losses: dict[str, float], settings: TrainingSettings, description: str
) -> None:
    """Raise a UserError where an epoch left a loss or weights that are not finite."""
    if np.isfinite(losses["loss"]) and state.is_finite:
        return
    what = "its weights are not finite" if np.isfinite(losses["loss"]) else f"its loss is {losses['loss']}"
    raise UserError(_diverged(f"{description}: {what} after epoch {state.progress.epoch}", settings))


def _diverged(what: str, settings: TrainingSettings) -> str:
    """What to say of a training that cannot be used, and what to change."""
    clip = "unset" if settings.gradient_clip is None else f"now {settings.gradient_clip}"
    parts = [f"a lower training.lr (now {settings.lr})", f"a lower training.gradient_clip ({clip})"]
    parts += ["training.precision fp32"] if settings.precision != "fp32" else []
    parts += ["smaller training.loss_weights"] if settings.loss_weights else []
    return f"{what}: training diverged, and no model is written; try {', '.join(parts)}"
