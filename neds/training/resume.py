"""The state from which an interrupted training run goes on as if it had never stopped.

The state lies beside the run's outputs and belongs to one run: it carries a fingerprint of settings, data and code, and
a run with another fingerprint ignores it. Tensors only, no pickle: safetensors with a JSON header.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from neds.files.atomic import replacing


@dataclass
class Progress:
    """Where a run stands after whole epochs.

    Attributes:
        epoch: finished epochs.
        step: finished optimiser steps.
        log: one row per validation.
        best_score, best_epoch: of the best validation so far; None and 0 before there is one with a score.
        validations_since_best: for early stopping.
        seconds: training time so far, over all its parts.
    """

    epoch: int = 0
    step: int = 0
    log: list[dict] = field(default_factory=list)
    best_score: float | None = None
    best_epoch: int = 0
    validations_since_best: int = 0
    seconds: float = 0.0


def save_state(
    path: Path,
    *,
    fingerprint: str,
    progress: Progress,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    best: dict[str, torch.Tensor],
) -> None:
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()} | {f"best.{k}": v for k, v in best.items()}
    for index, entries in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": value for key, value in entries.items()}
    header = {
        "fingerprint": fingerprint,
        "progress": json.dumps(asdict(progress)),
        "scheduler": json.dumps(scheduler.state_dict()),
    }
    with replacing(path) as temporary:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, metadata=header)


def load_state(
    path: Path,
    *,
    fingerprint: str,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
) -> tuple[Progress, dict[str, torch.Tensor]] | None:
    """Put a saved state of this very run into the given objects; returns its progress and best weights.

    Returns None, and changes nothing, when there is no readable state with this fingerprint.
    """
    try:
        with safe_open(path, framework="pt") as handle:
            header = handle.metadata() or {}
            if header.get("fingerprint") != fingerprint:
                return None
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (not a dict)
    except (FileNotFoundError, SafetensorError):
        return None
    parts: dict[str, dict[str, torch.Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        part, key = name.split(".", 1)
        parts[part][key] = tensor
    model.load_state_dict(parts["model"])
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        index, key = name.split(".")
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    scheduler.load_state_dict(json.loads(header["scheduler"]))
    for group, lr in zip(optimizer.param_groups, scheduler.get_last_lr(), strict=True):
        group["lr"] = lr
    return Progress(**json.loads(header["progress"])), parts["best"]
