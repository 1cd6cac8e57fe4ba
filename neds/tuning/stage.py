"""The tuning stage: aligned files (and, for fine-tuning, a pretrained checkpoint) -> the best trial and all trials."""

import logging
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from neds.errors import UserError
from neds.files.aligned import read_aligned
from neds.files.atomic import write_csv
from neds.files.private import private_folder
from neds.files.roles import InputFile, InputFiles, Operational, OutputFile
from neds.gpus import take_gpus
from neds.model.checkpoint import read_checkpoint
from neds.provenance import code_digest, content_digest, digest_of
from neds.training.settings import MemorySettings
from neds.tuning.best import BestTrial, nested, write_best
from neds.tuning.search import Resources, run_search
from neds.tuning.settings import TuningRun
from neds.tuning.trial import run_trial

log = logging.getLogger(__name__)


def run_tuning(
    *,
    aligned: InputFiles,
    best: OutputFile,
    trials_csv: OutputFile,
    settings: TuningRun,
    pretrained: InputFile | None = None,
    memory: Operational[MemorySettings | None] = None,
    cpus: Operational[int] = 1,
    cpus_per_trial: Operational[int] = 1,
    gpu_percent_per_trial: Operational[int] = 0,
    gpu_percent: Operational[int | None] = None,
    description: Operational[str] = "search",
) -> None:
    """Search, and write the best trial's values and the table of all trials.

    A search that was killed goes on where it stopped: its state lies in a folder of the user's own
    (`neds.files.private`), under a name that only the same folder of `best`, settings, data and code have, and is deleted
    at the end. When training would be skipped, so is the search; the outputs are written all the same.

    Args:
        aligned: aligned session files to train on.
        best: YAML to write: the values of the best trial.
        trials_csv: table to write, one row per trial.
        settings: run (mode, modalities, model, ...) and search (method, n_trials, space, seed).
        pretrained: checkpoint to fine-tune.
        memory: how each trial fits into memory: trials_at_once, recompute, memory_share, compile.
        cpus: CPU cores of the whole search.
        cpus_per_trial: CPU cores of a trial.
        gpu_percent_per_trial: share of a GPU for a trial; 0: CPU only.
        gpu_percent: of GPUs to wait for and to hold for all trials, 100 for each, at least what one trial takes; 0: none. By
            default all GPUs are used.
        description: name of the search in progress messages.

    Raises:
        UserError: no trial gave a score, a trial wants more cores or GPUs than there are, or there is no private folder.
    """
    columns = ["trial", *settings.search.space, "score", "epochs", "status", "reason"]
    why = _why_skipped(aligned, pretrained)
    if why:
        log.warning("%s: skipped, %s", description, why)
        write_csv(trials_csv, pd.DataFrame(columns=columns))
        write_best(best, BestTrial(skipped=why))
        return

    if gpu_percent is not None:
        take_gpus(max(gpu_percent, 100 * math.ceil(gpu_percent_per_trial / 100)))
    aligned = [path.resolve() for path in aligned]
    pretrained = pretrained and pretrained.resolve()
    inputs = [*aligned, *([pretrained] if pretrained else [])]
    fingerprint = digest_of(
        [settings.model_dump(), [content_digest(path) for path in inputs], code_digest("neds.tuning.stage:run_tuning")]
    )
    states = private_folder(f"search-{digest_of(str(best.parent.resolve()))[:16]}")
    resources = Resources(cpus=cpus, cpus_per_trial=cpus_per_trial, gpus_per_trial=gpu_percent_per_trial / 100)
    _forget_others(states, fingerprint[:16])

    def trial(values: dict[str, Any]) -> None:
        run_trial(
            values,
            run=settings.run,
            aligned=aligned,
            pretrained=pretrained,
            memory=memory,
            n_threads=resources.cpus_per_trial,
        )

    training = settings.run.training
    outcomes = run_search(
        trial,
        search=settings.search,
        n_validations=-(-training.epochs // training.validate_every),
        resources=resources,
        state=states / fingerprint[:16],
        description=description,
    )
    scored = [
        (outcome.score, outcome) for outcome in outcomes if outcome.score is not None and outcome.status != "failed"
    ]
    if not scored:
        # Failed trials would not be run again, but the reason may lie in the machine.
        shutil.rmtree(states)
        raise UserError(f"{description}: no trial of {len(outcomes)} succeeded; the first: {outcomes[0].reason}")
    _, winner = max(scored, key=lambda known: known[0])
    write_csv(trials_csv, pd.DataFrame([vars(outcome) | outcome.values for outcome in outcomes])[columns])
    write_best(best, BestTrial.model_validate({"score": winner.score, "trial": winner.trial} | nested(winner.values)))
    shutil.rmtree(states)


def _why_skipped(aligned: Sequence[Path], pretrained: Path | None) -> str:
    if not any(read_aligned(path, with_values=False).usable for path in aligned):
        return "no usable session (see the sessions table)"
    return read_checkpoint(pretrained, with_weights=False)[0].skipped if pretrained else ""


def _forget_others(states: Path, name: str) -> None:
    """Delete the states of searches with other settings, data or code."""
    for path in states.glob("*"):
        if path.name != name:
            shutil.rmtree(path)
