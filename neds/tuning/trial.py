"""One trial of a search: the project's training with drawn values, which reports every validation to Ray Tune."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from ray import tune

from neds.errors import UserError
from neds.training.settings import MemorySettings, TrainingRun
from neds.training.stage import run_training
from neds.tuning.best import nested, with_values


def run_trial(
    values: dict[str, Any],
    *,
    run: TrainingRun,
    aligned: Sequence[Path],
    pretrained: Path | None,
    memory: MemorySettings | None,
    n_threads: int,
) -> None:
    """Train with `values` (by dotted key) in the trial's own folder, and report the best score so far.

    A trial that was killed goes on from its saved state, as any training does.

    Raises:
        UserError: no validation gave a score.
    """
    torch.set_num_threads(n_threads)
    folder = Path(tune.get_context().get_trial_dir())
    checkpoints = folder / "best.safetensors", folder / "last.safetensors"
    best_scores: list[float] = []

    def report(rows: list[dict]) -> None:
        scores = [row["val_score"] for row in rows if math.isfinite(row["val_score"])]
        if scores:
            best_scores.append(max(scores))
            tune.report({"score": best_scores[-1], "epoch": rows[-1]["epoch"], "validation": len(rows)})

    run_training(
        run=with_values(run, nested(values)),
        aligned=aligned,
        pretrained=pretrained,
        memory=memory,
        best=checkpoints[0],
        last=checkpoints[1],
        log_csv=folder / "log.csv",
        on_validation=report,
    )
    for path in checkpoints:
        path.unlink()
    if not best_scores:
        raise UserError("no validation gave a score")
