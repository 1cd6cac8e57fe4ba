"""The download stage: ALF folder -> raw file."""

import os
import shutil
import stat

import numpy as np
import pandas as pd
import pytest

from neds.download.settings import DownloadSettings
from neds.download.stage import download
from neds.errors import UserError
from neds.files.aligned import read_aligned
from neds.modalities import PAPER
from neds.partition.settings import PartitionRun
from neds.partition.stage import partition
from tests.alf_trees import REGIONS, SESSION_PATH, write_session, write_trials
from tests.download_runs import ALF, EID, load_local, use_scratch_home


@pytest.fixture(autouse=True)
def scratch_home(tmp_path, monkeypatch):
    return use_scratch_home(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    root = tmp_path_factory.mktemp("alf")
    return root, write_session(root)


@pytest.fixture
def alf(pristine, tmp_path):
    """A copy of the ALF folder that the test may change, and what its files hold."""
    root, written = pristine
    return shutil.copytree(root, tmp_path / "alf"), written


def test_local_session_equals_what_was_written(pristine, tmp_path):
    root, written = pristine
    raw = load_local(root, tmp_path)
    assert (raw.eid, raw.lab, raw.subject, raw.date) == (EID, "testlab", "TL_001", "2024-03-05")

    assert (np.diff(raw.spike_times) >= 0).all()
    assert len(raw.spike_times) == 6000
    for name, probe in written.probes.items():
        rows = np.flatnonzero(raw.units["probe"] == name)
        units = raw.units.iloc[rows]
        assert list(units["uuid"]) == [f"{name}-unit-{i}" for i in range(len(rows))]
        assert list(units["cluster_id"]) == list(range(len(rows)))
        assert list(units["acronym"]) == list(probe.region)
        assert list(units["beryl"]) == [REGIONS[region][0] for region in probe.region]
        assert list(units["cosmos"]) == [REGIONS[region][1] for region in probe.region]
        np.testing.assert_allclose(units["depth_um"], probe.depth_um)
        np.testing.assert_allclose(units["label"], probe.label)
        counts = np.bincount(probe.clusters, minlength=len(rows))
        np.testing.assert_allclose(units["firing_rate_hz"], counts / np.ptp(probe.times))
        for cluster, row in enumerate(rows):
            np.testing.assert_array_equal(
                raw.spike_times[raw.spike_units == row], probe.times[probe.clusters == cluster]
            )

    pd.testing.assert_frame_equal(raw.trials[written.trials.columns], written.trials)

    times, position = written.wheel
    assert np.allclose(np.diff(raw.traces["wheel_position"].times), 1e-3)
    wheel = raw.traces["wheel_position"]
    np.testing.assert_allclose(wheel.values, np.interp(wheel.times, times, position), atol=2e-3)
    velocity = raw.traces["wheel_velocity"]
    middle = slice(1000, -1000)
    expected = np.pi * np.cos(np.pi * velocity.times[middle])
    np.testing.assert_allclose(velocity.values[middle], expected, atol=0.2)

    for view, (times, energy) in written.cameras.items():
        trace = raw.traces[f"{view}_whisker_motion_energy"]
        np.testing.assert_array_equal(trace.times, times)
        np.testing.assert_array_equal(trace.values, energy)

    assert raw.provenance["problems"] == {}
    assert raw.provenance["remarks"] == {}
    assert raw.provenance["spike_sorting"] == {name: f"alf/{name}/pykilosort" for name in written.probes}
    assert raw.provenance["versions"].keys() == {"ONE-api", "ibllib", "iblatlas"}


def test_provenance_lists_the_datasets_that_were_used(alf, tmp_path):
    root, _ = alf
    np.save(root / ALF / "probe00" / "pykilosort" / "spikes.templates.npy", np.zeros(3000))
    datasets = load_local(root, tmp_path).provenance["datasets"]
    names = {(entry["collection"], entry["name"]) for entry in datasets}
    assert ("alf/probe00/pykilosort", "spikes.times.npy") in names
    assert ("alf", "_ibl_trials.table.pqt") in names
    assert ("alf/probe00/pykilosort", "spikes.templates.npy") not in names
    entry = next(entry for entry in datasets if entry["name"] == "_ibl_wheel.position.npy")
    assert len(entry["hash"]) == 32
    assert entry["size"] == (root / ALF / entry["name"]).stat().st_size


def test_the_users_folder_is_left_untouched(alf, tmp_path, scratch_home):
    root, _ = alf
    (root / "sessions.pqt").write_bytes(b"a stale table of somebody's ONE")
    everything = [root, *root.rglob("*")]
    for path in everything:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in everything}
    try:
        load_local(root, tmp_path)
        assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [root, *root.rglob("*")]} == before
        assert not any(scratch_home.iterdir())
    finally:
        for path in everything:
            path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o200)


def test_parts_that_are_missing_are_recorded_and_the_rest_loads(alf, tmp_path):
    root, _ = alf
    (root / ALF / "rightCamera.ROIMotionEnergy.npy").unlink()
    (root / ALF / "_ibl_wheel.timestamps.npy").unlink()
    for file in (root / ALF / "probe01" / "pykilosort").glob("spikes.*"):
        file.unlink()
    raw = load_local(root, tmp_path)
    assert raw.provenance["problems"] == {
        "right_whisker_motion_energy": "the session has no rightCamera.ROIMotionEnergy",
        "wheel": "the session has no wheel.timestamps",
        "probe01": "the session has no spike sorting of this probe",
    }
    assert set(raw.traces) == {"left_whisker_motion_energy"}
    assert set(raw.units["probe"]) == {"probe00"}
    assert len(raw.spike_times) == 3000


def test_a_session_without_spike_sorting_has_no_units(alf, tmp_path):
    root, _ = alf
    raw = load_local(root, tmp_path, probes=["probe07"])
    assert len(raw.units) == len(raw.spike_times) == 0
    assert "uuid" in raw.units
    assert "probe07" in raw.provenance["problems"]


def test_a_spike_sorting_without_spikes_leaves_its_probe_out(alf, tmp_path):
    root, _ = alf
    for name in ("times", "clusters", "amps", "depths"):
        file = root / ALF / "probe01" / "pykilosort" / f"spikes.{name}.npy"
        np.save(file, np.load(file)[:0])
    raw = load_local(root, tmp_path)
    assert raw.provenance["problems"] == {"probe01": "the spike sorting is empty"}
    assert set(raw.units["probe"]) == {"probe00"}


def test_trials_riddled_with_nan_are_kept_as_they_are_and_judged_by_partition(alf, tmp_path):
    root, written = alf
    trials = written.trials.copy()
    trials.loc[:10, ["stimOn_times", "firstMovement_times"]] = np.nan
    trials["feedback_times"] = np.nan
    write_trials(root / ALF, trials)
    raw = load_local(root, tmp_path)
    pd.testing.assert_frame_equal(raw.trials[trials.columns], trials)
    output = tmp_path / "aligned.h5"
    partition(raw=tmp_path / "local.h5", settings=PartitionRun(modalities=list(PAPER.values())), output=output)
    aligned = read_aligned(output)
    assert aligned.reason.startswith("0 of 20 trials kept, fewer than min_trials 50")
    assert aligned.dropped == {"trials: no stimOn_times": 11, "trials: no feedback_times": 9}


def test_camera_times_in_excess_are_dropped_from_the_start(alf, tmp_path):
    root, written = alf
    times, energy = written.cameras["left"]
    np.save(root / ALF / "leftCamera.ROIMotionEnergy.npy", energy[3:])
    raw = load_local(root, tmp_path)
    np.testing.assert_array_equal(raw.traces["left_whisker_motion_energy"].times, times[3:])
    assert raw.provenance["remarks"]["left_whisker_motion_energy"].startswith("3 camera times in excess")


def test_too_few_camera_times_leave_the_camera_out(alf, tmp_path):
    root, written = alf
    np.save(root / ALF / "_ibl_leftCamera.times.npy", written.cameras["left"][0][:-3])
    raw = load_local(root, tmp_path)
    assert "left_whisker_motion_energy" not in raw.traces
    assert "shorter than video data" in raw.provenance["problems"]["left_whisker_motion_energy"]


def test_duplicated_cluster_ids_have_the_metrics_computed_anew(alf, tmp_path):
    root, written = alf
    file = root / ALF / "probe00" / "pykilosort" / "clusters.metrics.pqt"
    pd.read_parquet(file).assign(cluster_id=0).to_parquet(file)
    raw = load_local(root, tmp_path, probes=["probe00"])
    assert "computed from the spikes" in raw.provenance["remarks"]["probe00"]
    assert list(raw.units["cluster_id"]) == list(range(10))
    counts = np.bincount(written.probes["probe00"].clusters)
    np.testing.assert_allclose(raw.units["firing_rate_hz"], counts / 60, rtol=0.02)


def test_channels_without_locations_give_units_of_unknown_region(alf, tmp_path):
    root, _ = alf
    (root / ALF / "probe00" / "pykilosort" / "channels.brainLocationIds_ccf_2017.npy").unlink()
    raw = load_local(root, tmp_path, probes=["probe00"])
    assert set(raw.units["acronym"]) == set(raw.units["beryl"]) == {"unknown"}
    assert "no brain locations" in raw.provenance["remarks"]["probe00"]


def test_the_preferred_spike_sorter_is_taken_and_recorded(alf, tmp_path):
    root, _ = alf
    shutil.copytree(root / ALF / "probe00" / "pykilosort", root / ALF / "probe00" / "iblsorter")
    raw = load_local(root, tmp_path, spike_sorter="iblsorter")
    assert raw.provenance["spike_sorting"] == {"probe00": "alf/probe00/iblsorter", "probe01": "alf/probe01/pykilosort"}


def test_revision_before_freezes_the_datasets(alf, tmp_path):
    root, written = alf
    later = root / ALF / "#2025-03-03#"
    later.mkdir()
    written.trials.assign(rewardVolume=3.0).to_parquet(later / "_ibl_trials.table.pqt")
    assert (load_local(root, tmp_path).trials["rewardVolume"] == 3).all()
    frozen = load_local(root, tmp_path, revision_before="2024-12-31")
    assert (frozen.trials["rewardVolume"] == 1.5).all()
    with pytest.raises(ValueError, match="revision_before"):
        DownloadSettings(revision_before="March")


def test_a_table_with_a_text_column_keeps_its_numbers(alf, tmp_path):
    root, written = alf
    written.trials.assign(note="x", flag=True).to_parquet(root / ALF / "_ibl_trials.table.pqt")
    trials = load_local(root, tmp_path).trials
    pd.testing.assert_frame_equal(trials[written.trials.columns], written.trials)
    assert trials["flag"].dtype == bool
    assert "note" not in trials


def test_a_session_without_trials_is_refused(alf, tmp_path):
    root, _ = alf
    (root / ALF / "_ibl_trials.table.pqt").unlink()
    with pytest.raises(UserError, match=f"session {EID}: the session has no trials datasets; .* sessions sheet"):
        load_local(root, tmp_path)
    assert not (tmp_path / "local.h5").exists()


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY garbage"])
def test_a_damaged_file_is_named(alf, tmp_path, content):
    root, _ = alf
    (root / ALF / "_ibl_wheel.position.npy").write_bytes(content)
    with pytest.raises(UserError, match=r"_ibl_wheel\.position\.npy: damaged"):
        load_local(root, tmp_path)


def test_arrays_of_objects_are_not_unpickled(alf, tmp_path):
    root, _ = alf

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "unpickled"),)

    np.save(root / ALF / "_ibl_wheel.position.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"_ibl_wheel\.position\.npy"):
        load_local(root, tmp_path)
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize(
    "wrong", ["testlab/Subjects/TL_001/2024-03-05/002", "otherlab/Subjects/X/2020-01-01/001", "TL_001/001"]
)
def test_a_wrong_session_path_names_sessions_that_exist(pristine, tmp_path, wrong):
    with pytest.raises(UserError, match=f"there are, for example, {SESSION_PATH}"):
        load_local(pristine[0], tmp_path, path=wrong)


def test_a_wrong_alf_root_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: no such folder; download\.alf_root"):
        load_local(tmp_path / "nowhere", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no sessions, check download\.alf_root"):
        load_local(tmp_path / "empty", tmp_path)


def test_the_folder_of_each_source_must_be_set(tmp_path):
    for source, key in (("alf", "alf_root"), ("one", "cache_dir")):
        with pytest.raises(UserError, match=f"download.{key} is not set"):
            download(source=source, eid=EID, output=tmp_path / "x.h5", settings=DownloadSettings())


def test_extras_are_loaded_when_asked_for(pristine, tmp_path):
    root, written = pristine
    assert not {"pupil_diameter", "licks"} & set(load_local(root, tmp_path).traces)
    raw = load_local(root, tmp_path, extras=["pupil", "paws", "licks"])
    times = written.cameras["left"][0]
    assert raw.provenance["problems"] == {}
    np.testing.assert_array_equal(raw.traces["pupil_diameter"].times, times)
    np.testing.assert_allclose(raw.traces["pupil_diameter"].values, written.pupil, rtol=1e-6)
    np.testing.assert_array_equal(raw.traces["licks"].times, written.licks)
    used = {entry["name"] for entry in raw.provenance["datasets"]}
    assert {"_ibl_leftCamera.features.pqt", "_ibl_leftCamera.dlc.pqt", "licks.times.npy"} <= used


def test_licks_are_observed_while_a_side_camera_has_frames(alf, tmp_path):
    root, written = alf
    for view, lost_s in (("left", (20.0, 40.0)), ("right", (30.0, 50.0))):
        times = written.cameras[view][0]
        kept = (times < lost_s[0]) | (times > lost_s[1])
        np.save(root / ALF / f"_ibl_{view}Camera.times.npy", times[kept])
    observed_s = load_local(root, tmp_path, extras=["licks"]).traces["licks"].observed_s
    np.testing.assert_allclose(observed_s, [[0, 30], [40, 60]], atol=0.02)
    for view in ("left", "right"):
        (root / ALF / f"_ibl_{view}Camera.times.npy").unlink()
    raw = load_local(root, tmp_path, extras=["licks"])
    assert raw.traces["licks"].observed_s is None and "camera times" in raw.provenance["remarks"]["licks"]


def test_paw_speed_bridges_a_lost_frame_and_is_unknown_where_the_paw_is_lost_for_long(pristine, tmp_path):
    root, written = pristine
    raw = load_local(root, tmp_path, extras=["paws"])
    times, (x, y, _) = written.cameras["left"][0], written.paws["paw_r"]
    speed = raw.traces["right_paw_speed"]
    np.testing.assert_allclose(speed.times[10], (times[10] + times[11]) / 2)
    np.testing.assert_allclose(speed.values[10], 60 * np.hypot(x[11] - x[10], y[11] - y[10]), rtol=1e-5)
    np.testing.assert_allclose(speed.values[29], 30 * np.hypot(x[31] - x[29], y[31] - y[29]), rtol=1e-5)
    unknown = speed.times[np.isnan(speed.values)]
    assert len(unknown) == 1 and times[600] < unknown[0] < times[659]


def test_extras_that_are_missing_are_recorded(alf, tmp_path):
    root, _ = alf
    for dataset in ("_ibl_leftCamera.features.pqt", "_ibl_leftCamera.dlc.pqt", "licks.times.npy"):
        (root / ALF / dataset).unlink()
    raw = load_local(root, tmp_path, extras=["pupil", "paws", "licks"])
    assert raw.provenance["problems"] == {
        "pupil": "the session has no leftCamera.features",
        "paws": "the session has no leftCamera.dlc",
        "licks": "the session has no licks datasets",
    }


def test_a_pupil_that_is_all_noise_is_left_out(alf, tmp_path):
    root, written = alf
    noise = np.random.default_rng(0).normal(20, 5, len(written.pupil))
    features = pd.DataFrame({"pupilDiameter_raw": noise, "pupilDiameter_smooth": written.pupil})
    features.to_parquet(root / ALF / "_ibl_leftCamera.features.pqt")
    raw = load_local(root, tmp_path, extras=["pupil"])
    assert "pupil_diameter" not in raw.traces
    assert raw.provenance["problems"]["pupil"].startswith("the pupil cannot be used (Pupil diameter SNR")
