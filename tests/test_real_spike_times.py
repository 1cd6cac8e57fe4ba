"""Thirty real trials with their spike times, taken through the stages (skipped where the recording is not at hand)."""

from pathlib import Path

import numpy as np
import pytest

from neds.download.settings import DownloadSettings
from neds.download.stage import download
from neds.files.aligned import read_aligned
from neds.files.raw import read_raw
from neds.modalities import PAPER, resolve
from neds.partition.settings import PartitionRun, PartitionSettings
from neds.partition.stage import partition
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


def test_partition_counts_the_recorded_spikes(recorded, raw_file, tmp_path):
    """Against a plain loop over trials, units and bins of the recorded times."""
    names = ["spikes", "wheel_speed", "choice", "block"]
    settings = PartitionSettings(bin_s=0.02, min_trials=10, min_rate_hz=1.0)
    run = PartitionRun(modalities=list(resolve(names, {}).values()), partition=settings)
    partition(raw=raw_file, settings=run, output=tmp_path / "aligned.h5")
    session = read_aligned(tmp_path / "aligned.h5")
    assert session.usable and session.n_trials_before == 30
    assert session.n_units > 100 and session.n_bins == 100

    raw = read_raw(raw_file)
    row_of = {uuid: row for row, uuid in enumerate(raw.units["uuid"])}
    rows = [row_of[uuid] for uuid in session.units["uuid"]]
    for trial, original in enumerate(session.trials["original_index"]):
        start = recorded["trials_stimOn_times"][original] - 0.5
        edges = start + 0.02 * np.arange(101)
        for unit in range(0, session.n_units, 25):
            times = recorded["spike_times"][recorded["spike_clusters"] == rows[unit]]
            np.testing.assert_array_equal(session.values["spikes"][trial, :, unit], np.histogram(times, edges)[0])
    kept = session.trials["original_index"].to_numpy()
    np.testing.assert_array_equal(session.values["choice"], recorded["trials_choice"][kept] > 0)
    np.testing.assert_array_equal(
        session.values["block"], np.searchsorted([0.2, 0.5, 0.8], recorded["trials_probabilityLeft"][kept])
    )


def test_without_a_camera_the_recording_is_unusable_for_the_paper_model(raw_file, tmp_path):
    settings = PartitionSettings(bin_s=0.02, min_trials=10)
    run = PartitionRun(modalities=list(PAPER.values()), partition=settings)
    partition(raw=raw_file, settings=run, output=tmp_path / "aligned.h5")
    reason = read_aligned(tmp_path / "aligned.h5").reason
    assert "whisker_motion_energy" in reason and "camera" in reason.lower()
