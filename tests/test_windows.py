"""Fixed windows in the place of trials (`align: none`)."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from neds.config import check_config
from neds.errors import UserError
from neds.evaluation.score import score
from neds.files.raw import Trace
from neds.modalities import PAPER, Modality
from neds.plan.figures import FIGURES
from neds.plan.plan import Plan
from tests.test_blocks import smallest_distance_s
from tests.test_config import ROOT
from tests.test_partition import recording, run, with_trace

WINDOWS = {
    "align": "none",
    "window_start_s": 0.0,
    "window_end_s": 2.0,
    "bin_s": 0.1,
    "split": "blocks",
    "split_blocks": 1,
    "min_trials": 20,
}
CONTINUOUS = {name: PAPER[name] for name in ("spikes", "wheel_speed", "whisker_motion_energy")}


def untrialled():
    return replace(recording(), trials=pd.DataFrame())


@pytest.mark.parametrize("step_s", [None, 0.5, 5.0])
def test_windows_tile_a_recording_without_trials(tmp_path, step_s):
    raw = untrialled()
    session = run(tmp_path, raw, modalities=CONTINUOUS, window_step_s=step_s, split_gap_s=4.0, **WINDOWS)
    starts_s = session.trials["align_time_s"].to_numpy()
    first_s, step_s = raw.spike_times[0], step_s or 2.0
    expected = 1 + np.floor((raw.spike_times[-1] - first_s - 2.0) / step_s)
    assert (
        session.n_trials_before
        == expected
        == session.n_trials + sum(n for key, n in session.dropped.items() if key.startswith("trials: "))
    )
    np.testing.assert_allclose(starts_s, first_s + step_s * session.trials["original_index"])
    assert smallest_distance_s(starts_s[:, None] + np.array([0.0, 2.0]), session.split) >= 4.0 - 1e-5
    right_edges_s = starts_s[:, None] + 0.1 * np.arange(1, 21)
    np.testing.assert_allclose(session.values["wheel_speed"][..., 0], np.abs(np.sin(right_edges_s)), atol=1e-3)
    # Bins that meet leave no spike out and count none twice.
    k = session.n_trials // 2
    inside = (raw.spike_times >= starts_s[k]) & (raw.spike_times < starts_s[k] + 2.0)
    kept = np.flatnonzero(np.isin(raw.units["uuid"], session.units["uuid"]))
    assert session.values["spikes"][k].sum() == np.isin(raw.spike_units[inside], kept).sum()


def test_windows_lie_in_the_stretches_that_the_file_names(tmp_path):
    raw = replace(untrialled(), intervals={"task": np.array([[70.0, 110.0], [10.3, 50.9], [60.0, 61.0]])})
    names = {"window_intervals": ["absent", "task"], "min_trials": 5, "split_gap_s": 0.0}
    session = run(tmp_path, raw, modalities=CONTINUOUS, **WINDOWS | names)
    starts_s = session.trials["align_time_s"].to_numpy()
    np.testing.assert_allclose(starts_s, [*(10.3 + 2 * np.arange(20)), *(70.0 + 2 * np.arange(20))])
    session = run(tmp_path, raw, modalities=CONTINUOUS, **WINDOWS | {"window_intervals": ["absent"]})
    assert session.reason == "the file has no stretches absent for windows; it has task"


def test_windows_that_a_trace_does_not_cover_are_dropped(tmp_path):
    raw = untrialled()
    wheel = raw.traces["wheel_velocity"]
    recorded = wheel.times < 200
    raw = with_trace(raw, "wheel_velocity", Trace(wheel.times[recorded], wheel.values[recorded]))
    session = run(tmp_path, raw, modalities=CONTINUOUS, **WINDOWS)
    assert session.trials["align_time_s"].max() + 2.0 < 200.1
    assert session.dropped["trials: wheel_velocity does not cover the window"] > 20


def test_a_trace_of_several_values_is_a_modality_by_its_name(tmp_path):
    raw = untrialled()
    clock = np.arange(0, 260, 0.02)
    raw = with_trace(raw, "paws", Trace(clock, np.column_stack([clock, -clock])))
    paws = Modality(name="paws", kind="continuous", width=2)
    session = run(tmp_path, raw, modalities={"spikes": PAPER["spikes"], "paws": paws}, **WINDOWS)
    right_edges_s = session.trials["align_time_s"].to_numpy()[:, None] + 0.1 * np.arange(1, 21)
    np.testing.assert_allclose(session.values["paws"][..., 1], -right_edges_s, rtol=1e-5)
    with pytest.raises(UserError, match="paws has 2 values per sample; set `width`"):
        wrong = Modality(name="paws", kind="continuous")
        run(tmp_path, raw, modalities={"spikes": PAPER["spikes"], "paws": wrong}, **WINDOWS)


def test_one_value_per_trial_is_refused_of_windows(tmp_path):
    with pytest.raises(UserError) as caught:
        run(tmp_path, recording(), **WINDOWS)
    assert str(caught.value).startswith("modalities: with `align: none` there are windows and no trials")
    assert "choice, block" in str(caught.value) and "\n" not in str(caught.value)


def test_scores_of_condition_averages_are_left_out(tmp_path):
    session = run(tmp_path, untrialled(), modalities=CONTINUOUS, **WINDOWS)
    test = session.trials_of("test")
    assert not session.has_conditions
    wheel = score(session, "wheel_speed", session.values["wheel_speed"][test], test)
    assert wheel == {"r2": 1.0}
    spikes = score(session, "spikes", np.full((len(test), 20, session.n_units), 0.5), test)
    assert "bits_per_spike" in spikes and "r2_psth" not in spikes


def test_figures_and_baseline_of_condition_averages_are_left_out():
    values = {"partition": WINDOWS, "modalities": list(CONTINUOUS)}
    config, sessions = check_config(values, base=ROOT)
    assert config.baselines_in_use(sessions) == ["linear", "glm", "rrr", "oracle", "oracle-behaviour"]
    found = Plan(config, sessions)
    assert {drawn.name for drawn in FIGURES if "align trials" in drawn.missing(found)} == {
        "{eid}/psths",
        "{eid}/raster",
    }
