"""Sessions without any structure, which cost what real ones cost."""

import numpy as np
import pandas as pd

from neds.files.aligned import AlignedSession
from neds.modalities import PAPER
from neds.partition.statistics import training_statistics


def noise_session(
    index: int, n_units: int, *, n_bins: int = 100, n_train: int = 40, n_val: int = 0, n_test: int = 0
) -> AlignedSession:
    """A session of the paper's modalities, with six conditions."""
    rng = np.random.default_rng(index)
    n_trials = n_train + n_val + n_test
    split = np.repeat(np.array([0, 1, 2], np.int8), [n_train, n_val, n_test])
    values = {"spikes": rng.poisson(0.3, (n_trials, n_bins, n_units)).astype(np.uint8)}
    for name in ("wheel_speed", "whisker_motion_energy"):
        values[name] = rng.normal(size=(n_trials, n_bins, 1)).astype(np.float32)
    values |= {
        name: rng.integers(0, classes, n_trials, dtype=np.int8) for name, classes in (("choice", 2), ("block", 3))
    }
    return AlignedSession(
        eid=f"session{index}",
        subject="",
        lab="",
        bin_s=2.0 / n_bins,
        window_start_s=-0.5,
        modalities=PAPER,
        values=values,
        statistics=training_statistics(values, PAPER, split == 0),
        units=pd.DataFrame({"uuid": [str(n) for n in range(n_units)]}),
        trials=pd.DataFrame({"original_index": range(n_trials), "condition": values["choice"] * 3 + values["block"]}),
        split=split,
        n_trials_before=n_trials,
    )
