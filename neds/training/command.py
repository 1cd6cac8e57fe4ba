"""The training stage as a command: with what a search found, what a variant changes, and signals that stop it."""

import logging
from collections.abc import Sequence
from typing import Any

from neds.ablations.changes import with_changes
from neds.files.roles import GrowingFile, InputFile, InputFiles, Operational, OutputFile, StateFile
from neds.gpus import take_gpus
from neds.processes import signalled_to_stop
from neds.training.distributed import joined
from neds.training.loggers import LoggerName, row_loggers
from neds.training.settings import MemorySettings, TrainingRun
from neds.training.stage import run_training
from neds.tuning.best import with_best
from neds.validation import validated


def train_model(
    *,
    aligned: InputFiles,
    best: OutputFile,
    last: OutputFile,
    log_csv: GrowingFile,
    settings: TrainingRun,
    pretrained: InputFile | None = None,
    tuned: InputFile | None = None,
    changes: dict[str, Any] | None = None,
    state: StateFile | None = None,
    memory: Operational[MemorySettings | None] = None,
    description: Operational[str] = "training",
    state_seconds: Operational[float] = 60.0,
    same_torch: Operational[bool] = False,
    loggers: Operational[Sequence[LoggerName]] = (),
    gpu_percent: Operational[int | None] = None,
) -> None:
    """Train one model: pretraining on several sessions, training from scratch on one, or fine-tuning on one.

    On several GPUs: neds train-together --processes 4 ...

    SIGTERM and SIGINT (Ctrl-C) make it save its state after the current step and leave with exit status 75.

    Args:
        aligned: aligned session files to train on.
        best: checkpoint of the best validation, to write.
        last: checkpoint of the last epoch, to write.
        log_csv: table to write, one row per validation.
        settings: mode, modalities, model, masking, training, seed.
        pretrained: checkpoint to fine-tune.
        tuned: best.yaml of a search, whose values replace those of the settings.
        changes: values by dotted key that replace all others: {"model.layers": 4}.
        state: file that holds the state while training is unfinished; unfinished.safetensors beside --best when omitted.
        memory: how the training fits into memory: trials_at_once, recompute, memory_share, compile.
        description: name of the run in progress messages.
        state_seconds: least time between two states to resume from.
        same_torch: begin anew rather than go on from a state that another major or minor version of torch saved.
        loggers: tensorboard, wandb: other programs that are told of each validation; their files lie beside --log-csv.
        gpu_percent: share of a GPU to wait for and to hold; 0: CPU only. By default any GPU is used as it is.

    Raises:
        UserError: sessions that cannot train together, values that cannot be used, or a pretrained network that does not
            fit.
        Interrupted: a signal came; the state is saved.
    """
    take_gpus(gpu_percent)
    with joined() as processes, signalled_to_stop() as should_stop:
        if not processes.is_first:
            logging.getLogger().setLevel(logging.ERROR)
        run = with_best(settings, tuned) if tuned else settings
        if changes:
            run = validated(TrainingRun, with_changes(run.model_dump(), changes), where="--settings with --changes")
        shown_by = loggers if processes.is_first else ()
        told = row_loggers(shown_by, log_csv.parent, description=description, settings=run.model_dump(mode="json"))
        run_training(
            run=run,
            aligned=aligned,
            pretrained=pretrained,
            best=best,
            last=last,
            log_csv=log_csv,
            state=state,
            memory=memory,
            description=description,
            processes=processes,
            on_validation=told,
            should_stop=should_stop,
            state_every_s=state_seconds,
            same_torch=same_torch,
        )
