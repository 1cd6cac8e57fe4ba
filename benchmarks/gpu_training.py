"""What gpu_check.sh trains: sessions that are made up, and steps of training on them as the loop makes them.

$WORK is the folder of the sessions, $DEVICE cuda or cpu; with TINY=1 everything is small.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from neds.data.store import TrialStore
from neds.files.aligned import AlignedSession, read_aligned, write_aligned
from neds.modalities import PAPER
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.precision import Precision
from neds.partition.statistics import training_statistics
from neds.training.distributed import alone
from neds.training.graphs import StepGraphs
from neds.training.loop import _beginning
from neds.training.memory import trials_at_once
from neds.training.settings import MemorySettings, TrainingRun
from neds.training.step import Parts, add_gradients

DEVICE, TINY = torch.device(os.environ.get("DEVICE", "cuda")), os.environ.get("TINY") == "1"
WORK = Path(os.environ.get("WORK", "."))
ON_GPU = DEVICE.type == "cuda"
N_MANY, N_TRIALS, N_BINS = (4, 40, 20) if TINY else (74, 340, 100)
SMALL = {"dim": 32, "layers": 2, "heads": 4, "mlp": 64}
ONE = SMALL if TINY else {"dim": 256, "layers": 5, "heads": 8, "mlp": 512}
COMMANDS = SMALL if TINY else {"dim": 64, "layers": 2, "heads": 4, "mlp": 128}
MANY = SMALL if TINY else {"dim": 256, "layers": 22, "heads": 8, "mlp": 512}
FASTEST: Precision = "bf16" if ON_GPU else "fp32"
NO_DROPOUT = {"token_dropout": 0.0, "mlp_dropout": 0.0, "unit_dropout": 0.0}


def made_session(index: int, *, n_units: int, n_trials: int) -> AlignedSession:
    """A session whose wheel, whisker and rates follow one slow signal, so that scores mean something."""
    rng = np.random.default_rng(index)
    slow = np.cumsum(rng.normal(size=(n_trials, N_BINS)), axis=1) / N_BINS**0.5
    choice, block = rng.integers(0, 2, n_trials, dtype=np.int8), rng.integers(0, 3, n_trials, dtype=np.int8)
    drive = slow[..., None] * rng.normal(size=n_units) + (choice[:, None, None] - 0.5) * rng.normal(size=n_units)
    values: dict[str, np.ndarray] = {"spikes": rng.poisson(0.15 * np.exp(np.clip(drive, -3, 2))).astype(np.uint8)}
    for name in ("wheel_speed", "whisker_motion_energy"):
        values[name] = (slow + 0.3 * rng.normal(size=slow.shape))[..., None].astype(np.float32)
    values |= {"choice": choice, "block": block}
    split = np.searchsorted([0.7, 0.8], np.arange(n_trials) / n_trials, side="right").astype(np.uint8)
    texts = {name: ["CA1"] * n_units for name in ("probe", "acronym", "beryl", "cosmos")}
    numbers = {name: np.ones(n_units) for name in ("depth_um", "channel", "label", "rate_hz")}
    return AlignedSession(
        eid=f"session{index}",
        subject="made",
        lab="made",
        bin_s=0.02,
        window_start_s=-0.5,
        modalities=PAPER,
        values=values,
        statistics=training_statistics(values, PAPER, split == 0),
        units=pd.DataFrame({"uuid": [f"{index}-{unit}" for unit in range(n_units)]} | texts | numbers),
        trials=pd.DataFrame(
            {
                "original_index": range(n_trials),
                "align_time_s": 5.0 * np.arange(n_trials),
                "condition": 3 * choice + block,
            }
        ),
        split=split,
        n_trials_before=n_trials,
    )


def single(index: int = 0) -> Path:
    return WORK / f"single{index}.h5"


def many() -> list[Path]:
    return [WORK / f"many{index}.h5" for index in range(N_MANY)]


def run_of(model: dict[str, Any], **training: Any) -> TrainingRun:
    defaults = {"epochs": 10 if TINY else 30, "lr": 5e-4, "validate_every": 2 if TINY else 5, "precision": "auto"}
    return TrainingRun.model_validate(
        {"mode": "mm", "modalities": list(PAPER), "model": model, "training": defaults | training, "seed": 0}
    )


def write_session(wanted: tuple[Path, int, int, int]) -> None:
    path, seed, n_units, n_trials = wanted
    write_aligned(path, made_session(seed, n_units=n_units, n_trials=n_trials))


class Training:
    """A network on a device, and steps of its training as the loop makes them."""

    def __init__(
        self,
        paths: list[Path],
        run: TrainingRun,
        device: torch.device,
        precision: Precision,
        memory: MemorySettings | None = None,
        *,
        compiled: bool = False,
        recorded: bool = False,
    ):
        sessions = [read_aligned(path) for path in paths]
        self.store, self.run, self.device = TrialStore(sessions, names=list(PAPER), device=device), run, device
        if ON_GPU:
            torch.cuda.reset_peak_memory_stats()
        torch.manual_seed(0)
        mode = preset("mm", self.store.modalities, run.masking)
        self.network = NEDS(Design(run.model, self.store.modalities, mode, self.store.n_bins), self.store.shapes)
        self.network.to(device).train()
        self.network.encoder.compiles = compiled
        self.state = _beginning(self.network, self.store, run.training)
        self.state.progress.precision = precision
        memory, n_trials = memory or MemorySettings(), min(run.training.batch_size, self.store.n_trials("train"))
        self.alike = recorded and len(paths) > 1
        self.at_once = trials_at_once(
            memory, self.state, self.store, run, {}, alone(device), n_trials, "check", alike=self.alike
        )
        self.batches = self._batches()
        self.graphs = StepGraphs(self.network.parameters(), "check") if recorded and device.type == "cuda" else None

    def _batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Those of one epoch after the other."""
        size, rng = self.run.training.batch_size, np.random.default_rng(0)
        while True:
            yield from self.store.shuffled("train", batch_size=size, balanced=False, rng=rng)

    def add_gradients(self, rows: tuple[np.ndarray, np.ndarray]) -> torch.Tensor:
        parts = Parts(self.at_once, alike=self.alike, graphs=self.graphs)
        return add_gradients(self.network, self.state, self.store, *rows, self.run, {}, alone(self.device), parts)

    def step(self) -> None:
        rows = next(self.batches)
        self.state.step(self.add_gradients(rows), present=np.unique(rows[0]))

    def rate(self, steps: int, *, after: int = 3) -> dict[str, Any]:
        """Seconds of a step, `after` some that do not count, with the most memory that the training ever held."""
        for _ in range(after):
            self.step()
        wait()
        started = time.perf_counter()
        for _ in range(steps):
            self.step()
        wait()
        peak = torch.cuda.max_memory_allocated() / 2**30 if ON_GPU else None
        return {
            "s_per_step": (time.perf_counter() - started) / steps,
            "trials_at_once": self.at_once,
            "peak_gib": peak,
            "precision": self.state.progress.precision,
        }


def wait() -> None:
    """Until the GPU has done what it was given."""
    if ON_GPU:
        torch.cuda.synchronize()
