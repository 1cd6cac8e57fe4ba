"""The behaviours beyond the paper's: from the raw file's traces and columns to modality values."""

import numpy as np
import pytest

from neds.files.raw import Trace
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


def test_a_contrast_that_is_none_of_the_tasks_is_unknown(tmp_path):
    raw = recording()
    raw.trials["contrastRight"], raw.trials["contrastLeft"] = 0.5, np.nan
    session = run(tmp_path, raw, modalities=of("contrast"))
    assert session.reason == "contrast is unknown in all trials of train, val, test"
