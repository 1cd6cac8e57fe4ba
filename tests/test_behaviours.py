"""The behaviours beyond the paper's: from the raw file's traces and columns to modality values."""

import numpy as np
import pytest

from neds.files.raw import Trace, read_raw
from neds.modalities import BUILT_IN
from neds.partition.binning import bin_edges
from neds.partition.settings import PartitionSettings
from tests.test_partition import recording, run, with_trace


def of(*names):
    return {name: BUILT_IN[name] for name in ("spikes", *names)}


def test_traces_that_are_named_after_a_modality(tmp_path):
    clock = np.arange(0, 260, 1 / 60)
    raw = with_trace(recording(), "pupil_diameter", Trace(clock, (2 + clock).astype(np.float32)))
    session = run(tmp_path, raw, modalities=of("wheel_velocity", "pupil_diameter"))
    right_edges = bin_edges(raw.trials["stimOn_times"].to_numpy(), PartitionSettings(bin_s=0.02))[:, 1:]
    np.testing.assert_allclose(session.values["wheel_velocity"][..., 0], np.sin(right_edges), atol=1e-5)
    np.testing.assert_allclose(session.values["pupil_diameter"][..., 0], 2 + right_edges, rtol=1e-5)


@pytest.mark.parametrize("name", ["pupil_diameter", "left_paw_speed", "licks"])
def test_a_session_without_the_trace_says_so(tmp_path, name):
    raw = recording()
    raw.provenance["problems"] = {"left video": "the session has no leftCamera datasets"}
    session = run(tmp_path, raw, modalities=of(name))
    assert session.reason == f"no trace {name} (left video: the session has no leftCamera datasets)"


def test_licks_are_counted_in_bins_closed_at_the_left(tmp_path):
    raw = recording()
    onset = raw.trials["stimOn_times"].to_numpy()
    licks = np.sort(np.concatenate([onset + 0.005, onset + 0.005, onset + 0.1, onset + 3]))
    session = run(tmp_path, with_trace(raw, "licks", Trace(licks, np.ones(len(licks)))), modalities=of("licks"))
    counts = session.values["licks"]
    assert counts.shape == (60, 100, 1) and counts.dtype == np.uint8
    expected = np.zeros(100)
    expected[[25, 30]] = 2, 1
    np.testing.assert_array_equal(counts.sum(0)[:, 0], 60 * expected)


def test_trials_in_which_licks_could_not_be_seen_are_dropped(tmp_path):
    """No video is no absence of licks. Short gaps between frames are bridged, as those of a trace."""
    raw = recording()
    onset = raw.trials["stimOn_times"].to_numpy()
    licks = np.sort(np.concatenate([onset + 0.2, onset + 0.3]))
    observed_s = np.array(
        [[0.0, onset[10] + 0.5], [onset[10] + 0.6, onset[20] + 0.5], [onset[21] - 1.0, onset[40] + 1.0]]
    )
    raw = with_trace(raw, "licks", Trace(licks, np.ones(len(licks)), observed_s))
    session = run(tmp_path, raw, modalities=of("licks"), min_trials=10)
    kept = np.setdiff1d(np.arange(40), [20])
    np.testing.assert_array_equal(session.trials["original_index"], kept)
    assert session.dropped["trials: licks not observed throughout the window"] == 60 - len(kept)
    assert read_raw(tmp_path / "raw.h5").traces["licks"].observed_s.tolist() == observed_s.tolist()
    whole = run(
        tmp_path,
        with_trace(raw, "licks", Trace(licks, np.ones(len(licks)), licks[None, [0, -1]])),
        modalities=of("licks"),
    )
    assert whole.n_trials == 60, "an interval from the first to the last lick says no more than the licks do"


def test_reward_and_signed_contrast(tmp_path):
    raw = recording()
    n = np.arange(60)
    shown = np.array([0, 0.0625, 0.125, 0.25, 1])[n % 5]
    raw.trials["contrastRight"] = np.where(n % 2, shown, np.nan)
    raw.trials["contrastLeft"] = np.where(n % 2, np.nan, shown)
    session = run(tmp_path, raw, modalities=of("reward", "contrast"))
    np.testing.assert_array_equal(session.values["reward"], raw.trials["feedbackType"] > 0)
    classes = np.array(BUILT_IN["contrast"].classes, float)
    np.testing.assert_array_equal(classes[session.values["contrast"]], np.where(n % 2, shown, -shown))


def test_values_of_a_choice_that_are_no_choice_are_unknown_and_told(tmp_path):
    raw = recording()
    raw.trials["choice"] = np.tile([1.0, 2.0, -1.0], 20)
    session = run(tmp_path, raw)
    assert session.values["choice"][:3].tolist() == [1, -1, 0]
    assert "choice: unknown in 20 trials of values that are no class (2)" in session.remarks


def test_a_contrast_that_is_none_of_the_tasks_is_unknown(tmp_path):
    raw = recording()
    raw.trials["contrastRight"], raw.trials["contrastLeft"] = 0.5, np.nan
    session = run(tmp_path, raw, modalities=of("contrast"))
    assert session.reason == "contrast is unknown in all trials of train, val, test"
