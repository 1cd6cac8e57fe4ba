"""The state from which an interrupted training run goes on as if it had never stopped.

The state lies beside the run's outputs and belongs to one run: it carries a fingerprint of settings, data and code, and
a run with another fingerprint ignores it. Tensors only, no pickle: safetensors with a JSON header.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save_file

from neds.files.atomic import replacing
from neds.model.precision import Precision
from neds.training.distributed import Processes

log = logging.getLogger(__name__)
_LARGEST_SHARE_OF_TIME = 0.05
_SCHEDULED = ("lr", "betas", "momentum")
"""What of an optimiser's groups its scheduler changes."""


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        epoch: finished epochs.
        step: finished optimiser steps of these epochs.
        batch: finished batches of the epoch after them.
        loss_sums: over these batches, by output: sums of the loss, and numbers of values in them.
        log: one row per validation.
        best_score, best_epoch: of the best validation so far; None and 0 before there is one with a score.
        best_deviance: of that validation, by output and trial (`neds.training.validate.Validation`).
        explained: of each output by its own best validation, and the standard errors of these
            (`neds.training.selection.Explained`).
        validations_since_best: for early stopping.
        seconds: training time so far, over all its parts.
        precision: in which the run computes, chosen when it began.
        trials_at_once: whose activations a process holds at once; None until that is known.
    """

    epoch: int = 0
    step: int = 0
    batch: int = 0
    loss_sums: list[list[float]] = field(default_factory=list)
    log: list[dict] = field(default_factory=list)
    best_score: float | None = None
    best_epoch: int = 0
    best_deviance: list[list[float]] = field(default_factory=list)
    explained: list[list[float]] = field(default_factory=list)
    validations_since_best: int = 0
    seconds: float = 0.0
    precision: Precision = "fp32"
    trials_at_once: int | None = None


def save_state(
    path: Path,
    *,
    fingerprint: str,
    progress: Progress,
    model: torch.nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    schedulers: Sequence[torch.optim.lr_scheduler.LRScheduler],
    best: dict[str, torch.Tensor],
) -> None:
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()} | {f"best.{k}": v for k, v in best.items()}
    for place, optimizer in enumerate(optimizers):
        for index, entries in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{place}.{index}.{key}": value for key, value in entries.items()}
    header = {
        "fingerprint": fingerprint,
        "torch": torch.__version__,
        "progress": json.dumps(asdict(progress)),
        "schedulers": json.dumps([scheduler.state_dict() for scheduler in schedulers]),
        "scheduled": json.dumps([_scheduled(group) for optimizer in optimizers for group in optimizer.param_groups]),
    }
    with replacing(path) as temporary:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, metadata=header)


def _scheduled(group: dict[str, Any]) -> dict[str, Any]:
    return {key: group[key] for key in _SCHEDULED if key in group}


def load_state(
    path: Path,
    *,
    fingerprint: str,
    model: torch.nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    schedulers: Sequence[torch.optim.lr_scheduler.LRScheduler],
    processes: Processes,
    same_torch: bool = False,
) -> tuple[Progress, dict[str, torch.Tensor]] | None:
    """Put a saved state of this very run into the given objects; returns its progress and best weights.

    Returns None, and changes nothing, when there is no readable state with this fingerprint. The first process reads it for
    all: one that did not see the file, on another computer, would train on other batches than the others.

    Args:
        same_torch: ignore a state that another major or minor version of torch saved; otherwise it goes on with a warning.
    """
    found = _read_state(path, fingerprint, same_torch=same_torch) if processes.is_first else b""
    saved = processes.from_first(found)
    if not saved:
        return None
    header, tensors = _header(saved), load(saved)
    parts: dict[str, dict[str, torch.Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        part, key = name.split(".", 1)
        parts[part][key] = tensor
    model.load_state_dict(parts["model"])
    states: list[dict[int, dict[str, torch.Tensor]]] = [{} for _ in optimizers]
    for name, tensor in parts["optimizer"].items():
        place, index, key = name.split(".")
        states[int(place)].setdefault(int(index), {})[key] = tensor
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    for scheduler, saved_schedule in zip(schedulers, json.loads(header["schedulers"]), strict=True):
        scheduler.load_state_dict(saved_schedule)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    for group, values in zip(groups, json.loads(header["scheduled"]), strict=True):
        group |= {key: tuple(value) if key == "betas" else value for key, value in values.items()}
    return Progress(**json.loads(header["progress"])), parts["best"]


def _goes_on(path: Path, saved_by: str, *, same_torch: bool) -> bool:
    """Whether a state is used that version `saved_by` of torch wrote; says so when it is not this version."""
    if saved_by.split(".")[:2] == torch.__version__.split(".")[:2]:
        return True
    begun = f"the training in {path} began with torch {saved_by} and this is torch {torch.__version__}"
    if same_torch:
        log.warning("%s: it begins anew", begun)
        return False
    log.warning("%s: it goes on, though its numbers may differ from those of either", begun)
    return True


def _read_state(path: Path, fingerprint: str, *, same_torch: bool) -> bytes:
    """The content of a state with this fingerprint; nothing where there is no readable one."""
    try:
        with safe_open(path, framework="pt") as handle:
            header = handle.metadata() or {}
        if header.get("fingerprint") != fingerprint or not _goes_on(
            path, header.get("torch", ""), same_torch=same_torch
        ):
            return b""
        return path.read_bytes()
    except (FileNotFoundError, SafetensorError):
        return b""


def _header(saved: bytes) -> dict[str, str]:
    """The metadata of a safetensors file, of which `load` gives the tensors alone."""
    size = int.from_bytes(saved[:8], "little")
    return json.loads(saved[8 : 8 + size])["__metadata__"]


class StateSaver:
    """Called after every optimiser step: saves the state from time to time, and whenever training is asked to stop.

    Saving takes at most a small share of the time, however large the state and slow the disk.
    """

    def __init__(
        self,
        save: Callable[[], None],
        *,
        every_s: float,
        should_stop: Callable[[], bool],
        processes: Processes,
    ):
        """
        Args:
            save: saves the state; called in the first process alone.
            every_s: least time between two states.
            should_stop: whether this process was asked to stop.
        """
        self._save = save
        self._every_s = every_s
        self._should_stop = should_stop
        self._processes = processes
        self._next_s = time.monotonic() + every_s

    def after_step(self) -> bool:
        """Whether to stop, which all processes do after the same step when one of them was asked to."""
        stops = self._processes.any(self._should_stop())
        started_s = time.monotonic()
        if self._processes.is_first and (stops or started_s >= self._next_s):
            self._save()
            ended_s = time.monotonic()
            self._next_s = ended_s + max(self._every_s, (ended_s - started_s) / _LARGEST_SHARE_OF_TIME)
        if stops:
            # Whoever starts the processes may kill all of them when one has left: none leaves before the state is saved.
            self._processes.any(False)
        return stops
