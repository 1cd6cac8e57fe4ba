"""The training loop: one for pretraining, training from scratch and fine-tuning."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from neds.data.store import TrialStore, stacked_valid
from neds.device import bf16_is_native
from neds.errors import UserError
from neds.files.aligned import AlignedSession
from neds.model.loss import loss_terms, total_loss
from neds.model.masking import Mask, draw_masks
from neds.model.network import NEDS, Design
from neds.model.settings import MaskingSettings
from neds.training.distributed import Processes
from neds.training.resume import Interrupted, Progress, StateSaver, load_state, save_state
from neds.training.settings import TrainingSettings
from neds.training.validate import can_be_scored, validation_scores

log = logging.getLogger(__name__)

_OWN, _SHARED = "session", "shared"
"""Parts of a network with learning rates of their own: the maps of each session, and what sessions share."""


@dataclass(frozen=True)
class Trained:
    """Outcome of a run: weights of the best validation and of the end, and one log row per validation."""

    best: dict[str, torch.Tensor]
    last: dict[str, torch.Tensor]
    progress: Progress


def train(
    model: NEDS,
    store: TrialStore,
    sessions: list[AlignedSession],
    *,
    masking: MaskingSettings,
    settings: TrainingSettings,
    seed: int,
    state_path: Path,
    fingerprint: str,
    description: str,
    processes: Processes,
    on_validation: Callable[[list[dict]], None] = lambda rows: None,
    should_stop: Callable[[], bool] = lambda: False,
    state_every_s: float = 60.0,
) -> Trained:
    """Train `model` in place on the training trials of `sessions`, which `store` holds.

    Every step is a function of (seed, epoch, batch, weights, optimiser state) alone, so a run that is killed and started
    again with the same fingerprint ends with the same weights as one that was not (bit for bit on a CPU). Several processes
    take equal parts of every batch and end with the same weights; without dropout they are those of one process, up to
    rounding.

    Args:
        state_path: where the state for resuming is kept while the run is unfinished.
        fingerprint: identity of the run (settings, data, code).
        description: name of the run in its progress messages.
        processes: this process and those it trains together with.
        on_validation: called with all log rows after each validation, in the first process.
        should_stop: asked after every step, in every process.
        state_every_s: least time between two saved states.

    Returns:
        The weights; where the validation trials of no session can be scored, the last are also the best.

    Raises:
        UserError: training diverged: its loss, its weights or, in every validation, its predictions are not finite.
        Interrupted: `should_stop` said so. The state is saved, and the same call goes on from it.
    """
    _freeze(model, settings.freeze)
    optimizer = _optimizer(model, settings)
    steps_per_epoch = store.n_batches("train", batch_size=settings.batch_size, balanced=_balanced(settings))
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=settings.epochs * steps_per_epoch,
        pct_start=settings.warmup,
        div_factor=settings.div_factor,
        cycle_momentum=False,
    )
    resumed = load_state(
        state_path,
        fingerprint=fingerprint,
        model=model,
        optimizer=optimizer,
        scheduler=scheduler,
        processes=processes,
    )
    progress, best = resumed or (Progress(), _copy(model))
    if resumed:
        log.info(
            "%s: resumed after epoch %d of %d and %d of %d batches",
            *(description, progress.epoch, settings.epochs, progress.batch, steps_per_epoch),
        )
    parallel = DistributedDataParallel(model) if processes.count > 1 else model
    started = time.monotonic() - progress.seconds

    def save(loss_sums: torch.Tensor) -> None:
        progress.seconds, progress.loss_sums = time.monotonic() - started, loss_sums.tolist()
        save_state(
            state_path,
            fingerprint=fingerprint,
            progress=progress,
            model=model,
            optimizer=optimizer,
            scheduler=scheduler,
            best=best,
        )

    saver = StateSaver(save, every_s=state_every_s, should_stop=should_stop, processes=processes)

    def after_step(loss_sums: torch.Tensor) -> None:
        if saver.after_step(loss_sums):
            where = f"epoch {progress.epoch} of {settings.epochs} and {progress.batch} of {steps_per_epoch} batches"
            raise Interrupted(f"{description}: stopped after {where}; its state is saved, start it again to go on")

    trained_trials, training_seconds = 0, 0.0
    silent = None if processes.is_first else True
    bar = tqdm(total=settings.epochs, initial=progress.epoch, desc=description, unit="epoch", disable=silent)
    while progress.epoch < settings.epochs:
        if settings.patience and progress.validations_since_best >= settings.patience:
            log.info("%s: stopped early at epoch %d", description, progress.epoch)
            break
        epoch_started = time.monotonic()
        share_left = 1 - progress.batch / steps_per_epoch
        losses = _train_epoch(
            parallel,
            model.design,
            store,
            optimizer,
            scheduler,
            masking,
            settings,
            processes,
            seed=seed,
            progress=progress,
            after_step=after_step,
        )
        training_seconds += time.monotonic() - epoch_started
        trained_trials += share_left * store.n_shuffled("train", balanced=_balanced(settings))
        progress.epoch += 1
        progress.step += steps_per_epoch
        bar.update()
        if not np.isfinite(losses["loss"]) or not _is_finite(model):
            what = "its weights are not finite" if np.isfinite(losses["loss"]) else f"its loss is {losses['loss']}"
            raise UserError(_diverged(f"{description}: {what} after epoch {progress.epoch}", settings))
        if progress.epoch % settings.validate_every and progress.epoch != settings.epochs:
            continue
        scores = validation_scores(model, store, sessions, processes)
        progress.seconds = time.monotonic() - started
        if np.isfinite(scores["score"]) and (progress.best_score is None or scores["score"] > progress.best_score):
            progress.best_score, progress.best_epoch = scores["score"], progress.epoch
            progress.validations_since_best = 0
            best = _copy(model)
        elif np.isfinite(scores["score"]):
            progress.validations_since_best += 1
        progress.log.append(
            {"epoch": progress.epoch, "step": progress.step, "seconds": round(progress.seconds, 2)}
            | {"trials_per_second": round(trained_trials / training_seconds, 1)}
            | _learning_rates(optimizer)
            | losses
            | {f"val_{key}": value for key, value in scores.items()}
        )
        trained_trials, training_seconds = 0, 0.0
        if not processes.is_first:
            continue
        on_validation(progress.log)
        _report(bar, description, progress, settings)
    bar.close()
    if progress.best_score is None:
        if can_be_scored(model, sessions):
            what = f"predictions are not finite in any validation up to epoch {progress.epoch}"
            raise UserError(_diverged(f"{description}: {what}", settings))
        log.warning("%s: nothing in the validation trials can be scored, so the last weights are the best", description)
        best, progress.best_epoch = _copy(model), progress.epoch
    return Trained(best=best, last=_copy(model), progress=progress)


def _train_epoch(
    model: nn.Module,
    design: Design,
    store: TrialStore,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    masking: MaskingSettings,
    settings: TrainingSettings,
    processes: Processes,
    *,
    seed: int,
    progress: Progress,
    after_step: Callable[[torch.Tensor], None],
) -> dict[str, float]:
    """One pass over the training trials, or what is left of it; mean loss per masked value, in all and by modality."""
    generator = torch.Generator()
    model.train()
    names = [name for name in design.modalities if name in design.mode.outputs]
    totals = torch.zeros(2, len(names), device=store.device)
    if progress.batch:
        totals += torch.tensor(progress.loss_sums, device=store.device)
    batches = store.shuffled(
        "train",
        batch_size=settings.batch_size,
        balanced=_balanced(settings),
        rng=np.random.default_rng([seed, progress.epoch]),
    )
    for sessions, trials in islice(batches, progress.batch, None):
        # Seeded at every step, so that a run can go on from any.
        step_seed = int(np.random.SeedSequence([seed, progress.epoch, progress.batch]).generate_state(1)[0])
        torch.manual_seed(step_seed + processes.rank)
        generator.manual_seed(step_seed)
        # Every process draws the masks of the whole batch, so that they do not depend on how it is cut.
        mask = draw_masks(
            list(design.modalities.values()),
            n_trials=len(trials),
            n_bins=store.n_bins,
            scheme_weights=design.mode.scheme_weights,
            ratio=masking.ratio,
            single_behaviour=masking.single_behaviour,
            generator=generator,
        )
        own = processes.own_rows(len(trials))
        if not len(own):
            # A process without a trial joins the others' step with one that has no target.
            own = np.zeros(1, dtype=np.int64)
            mask = Mask(mask.hidden, torch.zeros_like(mask.target))
        batch = store.batch(sessions[own], trials[own])
        mask = mask.rows(torch.from_numpy(own)).where_known(stacked_valid(batch, design.modalities))
        with autocast(store.device, settings.precision):
            predictions = model(batch, mask.hidden)
        target = dict(zip(design.modalities, mask.target.unbind(1), strict=True))
        terms = loss_terms(design.modalities, predictions, batch, target)
        local = torch.stack([torch.stack([terms[name][0].detach() for name in names]), _numbers(terms, names)])
        everyone = processes.sum(local)
        totals += everyone
        # The gradients of the processes are averaged, so each divides by its share of the whole batch's number.
        shares = everyone[1] / processes.count
        loss = total_loss({name: (terms[name][0], shares[i]) for i, name in enumerate(names)}, settings.loss_weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if settings.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_clip)
        optimizer.step()
        scheduler.step()
        progress.batch += 1
        after_step(totals)
    progress.batch = 0
    means = {name: float(total / number) for name, total, number in zip(names, *totals, strict=True) if number > 0}
    weighted = sum(settings.loss_weights.get(name, 1.0) * value for name, value in means.items())
    return {"loss": weighted} | {f"loss_{name}": value for name, value in means.items()}


def _numbers(terms: dict[str, tuple[torch.Tensor, torch.Tensor]], names: list[str]) -> torch.Tensor:
    return torch.stack([terms[name][1].float() for name in names])


def _balanced(settings: TrainingSettings) -> bool:
    return settings.sampling == "sessions"


def _freeze(model: NEDS, part: str) -> None:
    frozen = {"none": (), "encoder": ("encoder.",), "shared": ("encoder.", "position", "modality", "mask_vector")}[part]
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(frozen))


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The autocast context of a precision setting on a device."""
    enabled = precision == "bf16" or (precision == "auto" and bf16_is_native(device))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def _optimizer(model: NEDS, settings: TrainingSettings) -> torch.optim.AdamW:
    groups: dict[tuple[str, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part = _OWN if name.startswith("stitchers.") else _SHARED
            is_matrix = name.endswith("weight") and "norm" not in name
            groups.setdefault((part, settings.weight_decay if is_matrix else 0.0), []).append(parameter)
    rates = {_OWN: settings.lr, _SHARED: settings.lr * settings.shared_lr}
    return torch.optim.AdamW(
        [
            {"params": members, "lr": rates[part], "weight_decay": decay, "part": part}
            for (part, decay), members in groups.items()
        ],
        fused=True,
    )


def _learning_rates(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """`lr` of the sessions' own maps and `lr_shared` of what sessions share; 0 where that is frozen."""
    rates = {group["part"]: group["lr"] for group in optimizer.param_groups}
    return {"lr": rates.get(_OWN, 0.0), "lr_shared": rates.get(_SHARED, 0.0)}


def _is_finite(model: nn.Module) -> bool:
    return all(bool(parameter.isfinite().all()) for parameter in model.parameters())


def _diverged(what: str, settings: TrainingSettings) -> str:
    """What to say of a training that cannot be used, and what to change."""
    clip = "unset" if settings.gradient_clip is None else f"now {settings.gradient_clip}"
    parts = [f"a lower training.lr (now {settings.lr})", f"a lower training.gradient_clip ({clip})"]
    parts += ["training.precision fp32"] if settings.precision != "fp32" else []
    parts += ["smaller training.loss_weights"] if settings.loss_weights else []
    return f"{what}: training diverged, and no model is written; try {', '.join(parts)}"


def _copy(model: NEDS) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _report(bar: tqdm, description: str, progress: Progress, settings: TrainingSettings) -> None:
    """The latest scores, on the bar where there is a terminal, as a line of the log where there is none."""
    row = progress.log[-1]
    scores = f"loss {row['loss']:.3f}, validation {row['val_score']:.3f} (best at epoch {progress.best_epoch})"
    if not bar.disable:
        bar.set_postfix_str(scores)
        return
    minutes = progress.seconds / progress.epoch * (settings.epochs - progress.epoch) / 60
    done = f"epoch {progress.epoch}/{settings.epochs}"
    log.info("%s: %s, %s, %.0f trials/s, %.1f min left", description, done, scores, row["trials_per_second"], minutes)
