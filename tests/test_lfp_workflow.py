"""LFP and licks through the whole workflow: from an ALF session with a raw recording to scores and figures."""

import h5py
import numpy as np
import pandas as pd
import pytest

from neds.evaluation.results import read_predictions
from neds.files.aligned import read_aligned
from tests.alf_trees import DURATION_S, SESSION_PATH, write_session
from tests.lfp_recordings import RATE_HZ, write_lfp
from tests.workflow_runs import snakemake

pytestmark = pytest.mark.slow

EID = "7d3c0c52-5a3c-4f0e-9a34-5f0a3e6a1b10"
CONFIG = {
    "source": "alf",
    "sessions": "sheet.tsv",
    "modalities": ["spikes", "lfp", "wheel_speed", "licks", "reward"],
    "regimes": ["scratch"],
    "baselines": ["linear"],
    "partition": {"bin_s": 0.1, "min_trials": 10, "min_units": 5, "max_components": 4},
    "model": {"dim": 16, "layers": 1, "heads": 2, "mlp": 16},
    "training": {"epochs": 20, "batch_size": 4, "validate_every": 10},
    "regions": {"classes": []},
}
METRICS = "results/tables/metrics.csv"
FIGURES = [f"results/figures/{EID}/traces.png", "results/figures/metrics.png"]


def write_recording(root):
    """A session whose LFP in the theta band follows the speed of the wheel, on half of 16 channels."""
    session = write_session(root, probes=("probe00",))
    rng = np.random.default_rng(0)
    clock = np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ
    speed = np.abs(np.gradient(np.interp(clock, *session.wheel), 1 / RATE_HZ))
    signal = rng.normal(0, 10, (len(clock), 16))
    signal[:, :6] += (60 * speed * np.sin(2 * np.pi * 20 / 3 * clock))[:, None]
    write_lfp(root / SESSION_PATH / "raw_ephys_data" / "probe00", signal)


def test_lfp_is_encoded_decoded_from_scored_and_drawn(tmp_path):
    write_recording(tmp_path / "alf")
    (tmp_path / "sheet.tsv").write_text(f"eid\trole\tpath\n{EID}\ttest\t{SESSION_PATH}\n")
    config = CONFIG | {"download": {"alf_root": str(tmp_path / "alf")}}
    snakemake(tmp_path, METRICS, *FIGURES, config=config)

    with h5py.File(tmp_path / f"results/raw/{EID}.h5") as raw:
        n_windows, n_values = raw["traces/lfp/values"].shape
        assert n_values == 2 * 6 and n_windows < 60 / 0.1
    session = read_aligned(tmp_path / f"results/aligned/{EID}.h5")
    width = session.modalities["lfp"].width
    assert session.usable and 1 <= width <= 4
    assert session.values["lfp"].shape == (session.n_trials, 20, width)
    assert session.components["lfp"].restored(session.values["lfp"]).shape[-1] == 12

    metrics = pd.read_csv(tmp_path / METRICS)
    scores = metrics.set_index(["model", "task", "target", "metric"])["value"].sort_index()
    for model in ("linear", "neds-mm"):
        assert np.isfinite(scores[model, "encoding", "lfp", "r2"]).all()
        assert np.isfinite(scores[model, "decoding", "licks", "bits_per_spike"]).all()
    assert scores["linear", "encoding", "lfp", "r2_weighted"].item() > 0.2
    assert metrics.query("task == 'decoding'")["inputs"].eq("spikes+lfp").all()
    _, predicted = read_predictions(tmp_path / f"results/evaluation/{EID}/neds-mm-scratch-seed0/predictions.h5")
    assert predicted["encoding", "lfp"].shape[1:] == (20, width)
    traces = pd.read_csv(tmp_path / f"results/figures/{EID}/traces.csv")
    assert set(traces["behaviour"]) == {"lfp", "wheel_speed"}
