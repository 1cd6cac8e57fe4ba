"""Small aligned sessions with known structure, made in memory."""

import numpy as np
import pandas as pd

from neds.files.aligned import AlignedSession
from neds.modalities import PAPER, Modality
from neds.partition.split import assign_split
from neds.partition.statistics import training_statistics

STIMULUS = Modality(name="stimulus", kind="scalar", unit="%")
WITH_STIMULUS = (*PAPER, "stimulus")


def make_session(
    eid: str = "mouse1",
    *,
    n_trials: int = 60,
    n_units: int = 7,
    n_bins: int = 10,
    names: tuple[str, ...] = tuple(PAPER),
    seed: int = 0,
) -> AlignedSession:
    """A session in which a slow latent drives wheel, whisker and units, and choice and block shift the rates. Its mean over
    a trial is the stimulus, but for scale and offset.
    """
    rng = np.random.default_rng([seed, *eid.encode()])
    choice, block = rng.integers(0, 2, n_trials), rng.integers(0, 3, n_trials)
    latent = np.cumsum(rng.normal(size=(n_trials, n_bins)), axis=1) / 2
    drive = (
        rng.normal(size=n_units) * latent[..., None]
        + rng.normal(size=n_units) * (choice - 0.5)[:, None, None]
        + rng.normal(size=n_units) * (block - 1)[:, None, None]
    )
    values = {
        "spikes": rng.poisson(np.exp(np.clip(0.4 * drive, -2, 2))).astype(np.uint8),
        "wheel_speed": (latent + 0.3 * rng.normal(size=latent.shape))[..., None].astype(np.float32) * 3 + 5,
        "whisker_motion_energy": (latent + 0.5 * rng.normal(size=latent.shape))[..., None].astype(np.float32),
        "choice": choice.astype(np.int8),
        "block": block.astype(np.int8),
        "stimulus": (50 + 20 * latent.mean(1)).astype(np.float32),
    }
    modalities: dict[str, Modality] = {name: (PAPER | {"stimulus": STIMULUS})[name] for name in names}
    values = {name: values[name] for name in names}
    split = assign_split(n_trials, eid=eid, seed=0, fractions=[0.7, 0.1, 0.2])
    return AlignedSession(
        eid=eid,
        subject=f"subject of {eid}",
        lab="lab",
        bin_s=0.05,
        window_start_s=-0.2,
        modalities=modalities,
        values=values,
        statistics=training_statistics(values, modalities, split == 0),
        units=pd.DataFrame({"uuid": [f"{eid}-{n}" for n in range(n_units)], "acronym": "CA1", "beryl": "CA1"}),
        trials=pd.DataFrame(
            {
                "original_index": np.arange(n_trials),
                "align_time_s": 3.0 * np.arange(n_trials),
                "condition": choice * 3 + block,
                "choice": choice * 2 - 1,
            }
        ),
        split=split,
        n_trials_before=n_trials,
    )


def unusable_session(eid: str, reason: str) -> AlignedSession:
    return AlignedSession(
        eid=eid,
        subject=f"subject of {eid}",
        lab="lab",
        bin_s=0.05,
        window_start_s=-0.2,
        modalities=dict(PAPER),
        reason=reason,
    )
