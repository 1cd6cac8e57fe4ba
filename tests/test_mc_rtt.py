"""The example of docs/examples/mc_rtt.yaml, on a file that pynwb writes in the layout of MC-RTT (DANDI 000129)."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pynwb import NWBHDF5IO, NWBFile, TimeSeries

from neds.baselines.mlp import HISTORY_BINS, history
from neds.baselines.stage import run_baseline
from neds.config import load_config
from neds.conversion.stage import convert
from neds.evaluation.stage import evaluate
from neds.files.aligned import read_aligned
from neds.partition.stage import partition
from neds.plan.plan import Plan
from neds.training.settings import TrainingRun
from neds.training.stage import run_training
from tests.test_evaluation import files_in
from tests.workflow_runs import ROOT

EXAMPLE = ROOT / "docs/examples/mc_rtt.yaml"
END_S = 120.0
RATE_HZ = 250.0


def velocity(times_s: np.ndarray) -> np.ndarray:
    """Metres per second, two columns."""
    return 0.1 * np.column_stack([np.sin(1.7 * times_s) + np.sin(0.6 * times_s), np.cos(2.3 * times_s)])


def write_mc_rtt(path: Path) -> Path:
    """Units tuned to the velocity 100 ms later; kinematics in a processing module `behavior`, in mm/s, unknown at times."""
    rng, clock = np.random.default_rng(0), np.arange(0, END_S, 1 / RATE_HZ)
    file = NWBFile("random target reaching", "indy", datetime(2017, 2, 8, tzinfo=UTC), session_id="mc_rtt")
    device = file.create_device("Utah array")
    group = file.create_electrode_group("electrode_group_M1", "array", "M1", device)
    file.add_electrode(location="M1", group=group, group_name="electrode_group_M1")
    file.add_unit_column("heldout", "whether the benchmark holds the unit out")
    for unit in range(20):
        drive = velocity(clock + 0.1) @ rng.normal(0, 6, 2)
        n_spikes = rng.poisson(10 * np.exp(drive) / RATE_HZ)
        times = np.repeat(clock, n_spikes) + rng.uniform(0, 1 / RATE_HZ, n_spikes.sum())
        file.add_unit(spike_times=np.sort(times), electrodes=[0], obs_intervals=[[0.0, END_S]], heldout=unit % 4 == 0)
    file.add_trial_column("split", "of the benchmark")
    for start_s in np.arange(0, END_S - 0.6, 0.6):
        file.add_trial(start_time=start_s, stop_time=start_s + 0.6, split="train")
    behavior = file.create_processing_module("behavior", "processed behavioral data")
    measured = 1000 * velocity(clock)
    measured[2000:2100] = np.nan
    for name, data in (("finger_pos", np.zeros((len(clock), 3))), ("finger_vel", measured)):
        behavior.add(TimeSeries(name=name, data=data, unit="mm/s" if name == "finger_vel" else "mm", timestamps=clock))
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


@pytest.fixture(scope="module")
def cut(tmp_path_factory) -> tuple[Plan, Path]:
    """The example's plan, and the aligned file that its steps make."""
    folder = tmp_path_factory.mktemp("mc_rtt")
    loaded = load_config([ROOT / "config.yaml", EXAMPLE], base=ROOT)
    plan = Plan(loaded.config, loaded.sessions)
    steps = {rule: plan.step(rule, {"eid": "mc_rtt"}) for rule in ("convert", "partition")}
    source, raw, aligned = write_mc_rtt(folder / "file.nwb"), folder / "raw.h5", folder / "mc_rtt.h5"
    convert(file=source, output=raw, **arguments(convert, steps["convert"].values))
    partition(raw=raw, output=aligned, **arguments(partition, steps["partition"].values))
    return plan, aligned


def arguments(function, values: dict) -> dict:
    """Values of a step as the command gives them to its function."""
    hints = function.__annotations__
    return {
        name: hints[name].model_validate(value) if hasattr(hints[name], "model_validate") else value
        for name, value in values.items()
    }


def test_windows_hold_velocity_and_spikes_in_bins_of_20_ms(cut):
    session = read_aligned(cut[1])
    assert session.usable and session.bin_s == 0.02 and session.n_units == 20
    assert session.values["finger_velocity"].shape[1:] == (30, 2)
    starts = session.trials["align_time_s"].to_numpy()
    truth = 1000 * velocity((starts[:, None] + 0.02 * np.arange(1, 31)).ravel()).reshape(-1, 30, 2)
    known = np.isfinite(session.values["finger_velocity"])
    assert 0.9 < known.mean() < 1, "the hole is unknown, and no more than that"
    np.testing.assert_allclose(session.values["finger_velocity"][known], truth[known], atol=8)


@pytest.mark.slow
def test_an_mlp_with_history_and_neds_decode_it(cut, tmp_path):
    plan, aligned = cut
    run_baseline(name="mlp", aligned=aligned, **vars(files_in(tmp_path)))
    scores = pd.read_csv(tmp_path / "metrics.csv").set_index("metric")["value"]
    assert scores["r2"] > 0.5
    for mode in ("mm", "encoding", "decoding"):
        values = plan.config.run_settings("scratch", mode)
        training = values.training.model_copy(update={"epochs": 1})
        run = TrainingRun(mode=mode, modalities=plan.config.modalities, model=values.model, training=training)
        best, last, log = (tmp_path / name for name in ("best.safetensors", "last.safetensors", "log.csv"))
        run_training(run=run, aligned=[aligned], best=best, last=last, log_csv=log)
        evaluate(aligned=aligned, checkpoint=best, model="neds", training="scratch", seed=0, **vars(files_in(tmp_path)))
        targets = set(pd.read_csv(tmp_path / "metrics.csv")["target"])
        assert targets == {"mm": {"spikes", "finger_velocity"}, "encoding": {"spikes"}}.get(mode, {"finger_velocity"})


def test_example_trains_every_model_of_the_table_on_the_session_alone(cut):
    models = cut[0].models
    assert "mlp" in models.baselines and {run.mode for run in models.of_sessions()} == {"mm", "encoding", "decoding"}
    assert {run.regime for run in models.of_sessions()} == {"scratch"}


def test_history_is_of_this_bin_and_those_before():
    values = np.arange(1, 31, dtype=float).reshape(1, 30, 1)
    found = history(values)
    assert found.shape == (1, 30, HISTORY_BINS)
    np.testing.assert_array_equal(found[0, 20], np.arange(9, 22))
    np.testing.assert_array_equal(found[0, 0], [0] * 12 + [1])
