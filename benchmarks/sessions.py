"""Cost of a training step per trial against the number of sessions that are trained together.

    python -m benchmarks.sessions

Trials are drawn from 1, 8 or 74 sessions of 60 to 600 units. Ratios are to one session of the mean size in the same run.
"""

import argparse
import time

import numpy as np
import pandas as pd
import torch

from neds.data.store import TrialStore, stacked_valid
from neds.files.aligned import AlignedSession
from neds.modalities import PAPER
from neds.model.loss import loss_terms, total_loss
from neds.model.masking import draw_masks
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.settings import MaskingSettings, ModelSettings
from neds.partition.statistics import training_statistics

N_TRIALS, N_BINS, FEWEST_UNITS, MOST_UNITS = 40, 40, 60, 600


def noise_session(index: int, n_units: int) -> AlignedSession:
    """A session of N_TRIALS training trials without any structure, which costs what a real one costs."""
    rng = np.random.default_rng(index)
    traces = ("wheel_speed", "whisker_motion_energy")
    values = {"spikes": rng.poisson(0.3, (N_TRIALS, N_BINS, n_units)).astype(np.uint8)}
    values |= {name: rng.normal(size=(N_TRIALS, N_BINS, 1)).astype(np.float32) for name in traces}
    values |= {
        "choice": rng.integers(0, 2, N_TRIALS, dtype=np.int8),
        "block": rng.integers(0, 3, N_TRIALS, dtype=np.int8),
    }
    return AlignedSession(
        eid=f"session{index}",
        subject="",
        lab="",
        bin_s=0.05,
        window_start_s=-0.5,
        modalities=PAPER,
        values=values,
        statistics=training_statistics(values, PAPER, np.ones(N_TRIALS, bool)),
        units=pd.DataFrame({"uuid": [str(n) for n in range(n_units)]}),
        trials=pd.DataFrame({"original_index": range(N_TRIALS)}),
        split=np.zeros(N_TRIALS, np.int8),
        n_trials_before=N_TRIALS,
    )


def ms_per_trial(unit_counts: list[int], *, batch_size: int, steps: int, device: torch.device) -> tuple[float, int]:
    """Median time of a step per trial, in ms, and number of parameters."""
    sessions = [noise_session(index, n_units) for index, n_units in enumerate(unit_counts)]
    store = TrialStore(sessions, names=list(PAPER), device=device)
    masking, size = MaskingSettings(), ModelSettings(dim=128, layers=3, mlp=256, unit_dropout=0.0)
    model = NEDS(Design(size, PAPER, preset("mm", PAPER, masking), N_BINS), store.shapes).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    times = []
    for _ in range(steps + 2):
        chosen = np.sort(rng.integers(0, len(sessions), batch_size))
        started = time.perf_counter()
        batch = store.batch(chosen, rng.integers(0, N_TRIALS, batch_size))
        mask = draw_masks(
            list(PAPER.values()),
            n_trials=batch_size,
            n_bins=N_BINS,
            scheme_weights=model.design.mode.scheme_weights,
            settings=masking,
            n_units=store.n_units,
            generator=generator,
        ).where_known(stacked_valid(batch, PAPER), batch.columns)
        target = dict(zip(PAPER, mask.target.unbind(1), strict=True))
        loss = total_loss(loss_terms(PAPER, model(batch, mask.hidden), batch, target), {})
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - started) / batch_size)
    return float(np.median(times[2:])), sum(p.numel() for p in model.parameters())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=64, help="trials of a step (paper: 1024 with 74 sessions)")
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each case")
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    unit_counts = np.linspace(FEWEST_UNITS, MOST_UNITS, 74).astype(int)
    mean = int(unit_counts.mean())
    cases = {"1 session": [mean], "8 sessions": list(unit_counts[4::9]), "74 sessions": list(unit_counts)}
    baseline = None
    for name, counts in cases.items():
        ms, parameters = ms_per_trial(counts, batch_size=arguments.batch_size, steps=arguments.steps, device=device)
        baseline = baseline or ms
        print(
            f"{name:18} {ms:6.2f} ms a trial, {ms / baseline:4.2f} of one session, {parameters / 1e6:5.1f} M parameters"
        )
