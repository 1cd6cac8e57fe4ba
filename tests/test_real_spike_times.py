"""Thirty real trials with their spike times, taken through the stages (skipped where the recording is not at hand)."""

from pathlib import Path

import numpy as np
import pytest

from neds.download.settings import DownloadSettings
from neds.download.stage import download
from neds.files.raw import read_raw
from tests.alf_trees import write_30_trial_session

RECORDING = Path(__file__).parents[2] / "shared" / "data" / "ibl_ef3d059a_30trials.npz"


@pytest.fixture(scope="module")
def recorded():
    if not RECORDING.is_file():
        pytest.skip(f"{RECORDING.name} is not at hand")
    with np.load(RECORDING, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


@pytest.fixture(scope="module")
def raw_file(recorded, tmp_path_factory):
    """The raw file of the thirty trials."""
    folder = tmp_path_factory.mktemp("thirty_trials")
    session_path = write_30_trial_session(folder / "alf", RECORDING)
    output = folder / "raw.h5"
    download(
        source="alf",
        eid="ef3d059a-0000-4000-8000-000000000000",
        session_path=session_path,
        alf_root=folder / "alf",
        settings=DownloadSettings(),
        output=output,
    )
    return output


def test_spikes_and_units_arrive_unchanged(recorded, raw_file):
    raw = read_raw(raw_file)
    np.testing.assert_array_equal(raw.spike_times, recorded["spike_times"])
    np.testing.assert_array_equal(raw.spike_units, recorded["spike_clusters"])
    assert list(raw.units["acronym"]) == list(recorded["cluster_region"])
    np.testing.assert_allclose(raw.units["label"], recorded["cluster_label"])
    assert {"CA1", "DG", "LP", "VISa"} <= set(raw.units["beryl"])


def test_trials_arrive_unchanged(recorded, raw_file):
    trials = read_raw(raw_file).trials
    assert len(trials) == 30
    for name in ("stimOn_times", "firstMovement_times", "feedback_times", "choice", "probabilityLeft", "contrastLeft"):
        np.testing.assert_array_equal(trials[name], recorded[f"trials_{name}"])


def test_wheel_moves_as_recorded_and_cameras_are_reported_missing(recorded, raw_file):
    raw = read_raw(raw_file)
    velocity = raw.traces["wheel_velocity"]
    centres = recorded["trials_trial_start"][:, None] + 0.02 * (np.arange(60) - 0.5)
    found = np.interp(centres[:, 10:50], velocity.times, velocity.values)
    assert np.corrcoef(found.ravel(), recorded["wheel_velocity"][:, 10:50].ravel())[0, 1] > 0.9
    assert set(raw.provenance["problems"]) == {"left_whisker_motion_energy", "right_whisker_motion_energy"}
