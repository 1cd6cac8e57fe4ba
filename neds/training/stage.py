"""The training stage: aligned files (and, for fine-tuning, a pretrained checkpoint) -> checkpoints and a log."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from neds.data.reading import read_sessions
from neds.data.store import TrialStore
from neds.data.subset import with_training_trials
from neds.errors import UserError
from neds.files.aligned import AlignedSession
from neds.files.atomic import write_csv
from neds.model.checkpoint import Checkpoint, load_network, read_checkpoint, write_checkpoint
from neds.model.known import known_session
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.settings import NOT_OF_SHAPE
from neds.provenance import code_digest, content_digest, digest_of
from neds.training.calibration import calibrate
from neds.training.distributed import Processes, alone
from neds.training.loop import Unfinished, train
from neds.training.pretrained import record_of_seen, refuse_unfit, unlike_behaviours
from neds.training.settings import MemorySettings, TrainingRun
from neds.words import counted, in_short

log = logging.getLogger(__name__)


def run_training(
    *,
    run: TrainingRun,
    aligned: Sequence[Path],
    best: Path,
    last: Path,
    log_csv: Path,
    pretrained: Path | None = None,
    state: Path | None = None,
    memory: MemorySettings | None = None,
    called: str = "",
    description: str = "training",
    processes: Processes | None = None,
    on_validation: Callable[[list[dict]], None] = lambda rows: None,
    should_stop: Callable[[], bool] = lambda: False,
    state_every_s: float = 60.0,
    same_torch: bool = False,
) -> None:
    """Train on the usable sessions among `aligned` and write the best and last checkpoints and the validation log.

    When no session is usable (or pretraining was skipped for that reason) the outputs are written all the same and say
    why training was skipped, so that the workflow's graph does not depend on the data.

    Args:
        pretrained: checkpoint to fine-tune; its size replaces that of `run`.
        state: file that holds the run's state while it is unfinished; unfinished.safetensors beside `best` when omitted.
        memory: how the training fits into memory; the defaults when omitted.
        called: what messages call the pretrained network; its path when omitted.
        description: name of the run in its progress messages.
        processes: this process and those it trains together with; on its own when omitted.
        on_validation: called with all log rows after each validation, in the first process.
        should_stop: asked after every step, in every process.
        state_every_s: least time between two saved states, from which an interrupted run goes on.
        same_torch: begin anew rather than go on from a state that another major or minor version of torch saved.

    Raises:
        UserError: sessions that cannot train together, a pretrained network that does not fit them or has seen their
            test trials, or pretrained weights to keep where there are none.
        Interrupted: `should_stop` said so; the outputs are not written, and the same call goes on from the saved state.
    """
    if run.training.freeze != "none" and pretrained is None:
        raise UserError(
            f"{description}: training.freeze {run.training.freeze} keeps weights as they are pretrained, and there is no "
            "pretrained network; set it to none"
        )
    processes = processes or alone()
    memory = memory or MemorySettings()
    share, n_processes = memory.memory_share, processes.on_this_host
    read = read_sessions(aligned, memory_share=share, n_processes=n_processes, description=description)
    sessions = [with_training_trials(session, run.train_trials) for session in read if _usable(session)]
    why = "" if sessions else "no usable session (see the sessions table)"
    source = None
    if pretrained and not why:
        source = read_checkpoint(pretrained, with_weights=False)[0]
        why = source.skipped
        for session in sessions if not why else ():
            refuse_unfit(source, session, by=called or pretrained)
    if why:
        log.warning("%s: skipped, %s", description, why)
        if processes.is_first:
            for path in (best, last):
                write_checkpoint(path, Checkpoint(skipped=why), {})
            write_csv(log_csv, pd.DataFrame({"epoch": []}))
        return

    store = TrialStore(sessions, names=run.modalities, device=processes.device)
    torch.manual_seed(run.seed)
    model = _build(run, store, sessions, pretrained, description).to(processes.device)
    sizes = model.parameter_counts()
    log.info("%s: %s", description, _summary(model, store, sessions, processes))
    state = state or best.with_name("unfinished.safetensors")
    inputs = [*aligned, *([pretrained] if pretrained else [])]

    def validated(rows: list[dict]) -> None:
        write_csv(log_csv, pd.DataFrame(rows))
        on_validation(rows)

    fingerprint = digest_of(
        [
            run.model_dump(),
            [content_digest(path) for path in inputs],
            code_digest("neds.training.stage:run_training"),
        ]
    )
    trained = train(
        model,
        store,
        sessions,
        run,
        memory=memory,
        unfinished=Unfinished(state, fingerprint, state_every_s, same_torch, should_stop),
        processes=processes,
        description=description,
        on_validation=validated,
    )
    if not processes.is_first:
        return
    record = {
        "mode": run.mode,
        "seed": run.seed,
        "training_sessions": store.eids,
        "pretrained": str(pretrained) if pretrained else "",
        "parameters": sizes,
        "precision": trained.progress.precision,
        "device": processes.device.type,
        "run": run.model_dump(),
    } | record_of_seen(source, sessions)
    progress = trained.progress
    kept = {"epoch": progress.best_epoch, "of_epochs": progress.epoch, "validation_score": progress.best_score}
    log.info("%s: the weights of epoch %d of %d are kept", description, progress.best_epoch, progress.epoch)
    checkpoint = Checkpoint(
        design=model.design, sessions=model.session_shapes, known=[known_session(session) for session in sessions]
    )
    for path, weights, of_epoch in ((best, trained.best, kept), (last, trained.weights(), {"epoch": progress.epoch})):
        model.load_state_dict(weights)
        factors = calibrate(model, store, sessions) if run.training.calibration else {}
        described = replace(checkpoint, record=record | of_epoch | {"calibration": factors})
        write_checkpoint(path, described, model.state_dict())
    state.unlink(missing_ok=True)


def _summary(model: NEDS, store: TrialStore, sessions: list[AlignedSession], processes: Processes) -> str:
    """Size of the data and of the model, in the paper's terms."""
    sizes = model.parameter_counts()
    n_tokens = model.layout.n_tokens
    recorded_h = store.n_bins * store.bin_s / 3600
    unit_hours = sum(session.n_units * len(session.trials_of("train")) * recorded_h for session in sessions)
    n_trials = store.n_trials("train")
    return (
        f"{counted(len(sessions), 'session')}, {counted(n_trials, 'training trial')} of {n_tokens} tokens "
        f"({in_short(n_trials * n_tokens)}), "
        f"{unit_hours:.1f} unit-hours, {in_short(sizes['shared'])} shared and {in_short(sizes['stitchers'])} stitcher "
        f"parameters, {counted(processes.count, 'process')} on {processes.device.type}"
    )


def _usable(session: AlignedSession) -> bool:
    if not session.usable:
        log.warning("session %s is left out: %s", session.eid, session.reason)
    return session.usable


def _build(
    run: TrainingRun, store: TrialStore, sessions: list[AlignedSession], pretrained: Path | None, description: str
) -> NEDS:
    mode = preset(run.mode, store.modalities, run.masking)
    if pretrained is None:
        return NEDS(Design(run.model, store.modalities, mode, store.n_bins, store.n_context), store.shapes)
    source, _ = load_network(pretrained)
    design = source.design
    if (design.mode.inputs, design.mode.outputs, design.n_bins) != (mode.inputs, mode.outputs, store.n_bins):
        raise UserError(
            f"{pretrained}: was pretrained with {design.n_bins} bins of {', '.join(design.mode.inputs)} -> "
            f"{', '.join(design.mode.outputs)}, the session has {store.n_bins} bins and mode {run.mode} needs "
            f"{', '.join(mode.inputs)} -> {', '.join(mode.outputs)}; pretrain again with these settings"
        )
    # The size is that of the pretrained network; what is dropped in training is no matter of size.
    settings = design.settings.model_copy(update={key: getattr(run.model, key) for key in NOT_OF_SHAPE})
    model = NEDS(Design(settings, store.modalities, mode, store.n_bins, store.n_context), store.shapes)
    unlike = unlike_behaviours(source.design, store.modalities, sessions)
    if unlike and settings.behaviour_start == "common":
        what = "; ".join(f"{name}, {why}" for name, why in unlike.items())
        log.warning("%s: maps that start at random, as nothing pretrained is like them: %s", description, what)
    model.adopt(source, unlike=unlike)
    return model
