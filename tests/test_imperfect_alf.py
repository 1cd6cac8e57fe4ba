"""ALF folders whose datasets do not fit together: what can be used is, what was left out or mended is told."""

import shutil

import numpy as np
import pandas as pd
import pytest

from neds.download import connection, retries
from neds.download.settings import DownloadSettings
from neds.download.stage import download
from neds.errors import UserError
from neds.files.aligned import read_aligned
from neds.modalities import resolve
from neds.partition.settings import PartitionRun, PartitionSettings
from neds.partition.stage import partition
from tests.alf_trees import write_session
from tests.download_runs import ALF, EID, load_local, log_in, use_scratch_home


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


def change(file, how) -> None:
    np.save(file, how(np.load(file)))


def cut(tmp_path, *names: str, **settings):
    """The session that `load_local` left in `tmp_path`, in windows of a second."""
    windows = {"align": "none", "window_start_s": 0.0, "window_end_s": 1.0, "split": "blocks", "split_blocks": 1}
    few = {"split_gap_s": 0.0, "bin_s": 0.05, "min_trials": 5, "min_units": 3, "min_rate_hz": 0.5}
    partition(
        raw=tmp_path / "local.h5",
        settings=PartitionRun(
            modalities=list(resolve(["spikes", *names], {}).values()),
            partition=PartitionSettings(**windows | few | settings),
        ),
        output=tmp_path / "aligned.h5",
    )
    return read_aligned(tmp_path / "aligned.h5")


def reset(times: np.ndarray) -> np.ndarray:
    return np.concatenate([times[: len(times) // 2], times[: len(times) - len(times) // 2]])


@pytest.mark.parametrize(
    ("file", "what", "lost"),
    [
        ("_ibl_wheel.timestamps.npy", "wheel", "wheel_velocity"),
        ("_ibl_leftCamera.times.npy", "left_whisker_motion_energy", "left_whisker_motion_energy"),
        ("_ibl_leftCamera.times.npy", "pupil", "pupil_diameter"),
        ("_ibl_leftCamera.times.npy", "paws", "left_paw_speed"),
        ("licks.times.npy", "licks", "licks"),
    ],
)
def test_a_clock_that_was_reset_makes_the_signal_unusable(alf, tmp_path, file, what, lost):
    root, _ = alf
    change(root / ALF / file, reset)
    raw = load_local(root, tmp_path, extras=["pupil", "paws", "licks"])
    assert lost not in raw.traces and "its times go back" in raw.provenance["problems"][what]


def test_a_clock_of_spikes_that_was_reset_leaves_the_probe_out(alf, tmp_path):
    root, _ = alf
    change(root / ALF / "probe01/pykilosort/spikes.times.npy", reset)
    raw = load_local(root, tmp_path)
    assert set(raw.units["probe"]) == {"probe00"}
    assert "of 10 units go back" in raw.provenance["problems"]["probe01"]
    assert any(remark.startswith("probe01 is absent") for remark in cut(tmp_path, "wheel_speed").remarks)


def test_spikes_sorted_by_cluster_are_put_in_order(pristine, alf, tmp_path):
    root, _ = alf
    before = load_local(root, tmp_path)
    folder = root / ALF / "probe00/pykilosort"
    order = np.argsort(np.load(folder / "spikes.clusters.npy"), kind="stable")
    for name in ("times", "clusters", "amps", "depths"):
        change(folder / f"spikes.{name}.npy", lambda values: values[order])
    after = load_local(root, tmp_path)
    np.testing.assert_array_equal(after.spike_times, before.spike_times)
    np.testing.assert_array_equal(after.spike_units, before.spike_units)


def test_ten_seconds_of_nan_in_the_wheel_cost_what_lies_in_them(alf, tmp_path):
    root, written = alf
    times = written.wheel[0]
    lost = (times > 20) & (times < 30)
    change(root / ALF / "_ibl_wheel.position.npy", lambda position: np.where(lost, np.nan, position))
    raw = load_local(root, tmp_path)
    velocity = raw.traces["wheel_velocity"]
    unknown_s = velocity.times[np.isnan(velocity.values)]
    assert 19.9 < unknown_s.min() < 20.1 and 29.9 < unknown_s.max() < 30.1
    assert raw.provenance["remarks"]["wheel"] == "the wheel's position is NaN for 10.0 s, where it is unknown"
    session = cut(tmp_path, "wheel_speed")
    assert session.usable and 10 <= session.dropped["trials: wheel_velocity is NaN"] <= 12


def test_frames_that_were_lost_cost_what_lies_in_them(alf, tmp_path):
    root, written = alf
    times = written.cameras["left"][0]
    kept = (times < 20) | (times > 24)
    for name in ("_ibl_leftCamera.times", "leftCamera.ROIMotionEnergy"):
        change(root / ALF / f"{name}.npy", lambda values: values[kept])
    load_local(root, tmp_path)
    session = cut(tmp_path, "whisker_motion_energy")
    assert 4 <= session.dropped["trials: left_whisker_motion_energy has a hole of more than 0.25 s"] <= 6


@pytest.mark.parametrize("lost", ["first", "last"])
def test_a_large_surplus_of_camera_times_makes_the_camera_unusable(alf, tmp_path, lost):
    root, written = alf
    energy = written.cameras["left"][1]
    np.save(root / ALF / "leftCamera.ROIMotionEnergy.npy", energy[600:] if lost == "first" else energy[:-600])
    features = root / ALF / "_ibl_leftCamera.features.pqt"
    pd.read_parquet(features).iloc[600:].to_parquet(features)
    tracked = root / ALF / "_ibl_leftCamera.dlc.pqt"
    pd.read_parquet(tracked).iloc[600:].to_parquet(tracked)
    raw = load_local(root, tmp_path, extras=["pupil", "paws"])
    for what in ("left_whisker_motion_energy", "pupil", "paws"):
        assert raw.provenance["problems"][what].startswith("600 camera times (10.0 s) in excess of the frames")
    told = cut(tmp_path, "whisker_motion_energy").remarks
    assert any("of the right camera, as the left one cannot be used (600 camera times" in remark for remark in told)
    raw = load_local(root, tmp_path, most_surplus_s=10.5)
    np.testing.assert_array_equal(raw.traces["left_whisker_motion_energy"].times, written.cameras["left"][0][600:])


def test_a_spike_of_an_unknown_cluster_or_without_a_time_costs_itself(alf, tmp_path):
    root, _ = alf
    folder = root / ALF / "probe00/pykilosort"

    def clusters(values):
        values[[5, 17]] = 99, -1
        return values

    change(folder / "spikes.clusters.npy", clusters)
    change(folder / "spikes.times.npy", lambda times: np.where(np.arange(len(times)) % 10 == 3, np.nan, times))
    raw = load_local(root, tmp_path)
    assert (raw.units["probe"] == "probe00").sum() == 10
    remark = raw.provenance["remarks"]["probe00"]
    assert "1 of 3000 spikes of clusters that are not listed" in remark
    assert "300 of 3000 spikes left out, without a time" in remark
    assert np.count_nonzero(raw.spike_units < 10) == 3000 - 302
    assert f"probe00: {remark}" in cut(tmp_path, "wheel_speed").remarks
    change(folder / "spikes.clusters.npy", lambda values: values + 50)
    assert "names clusters beyond" in load_local(root, tmp_path).provenance["problems"]["probe00"]


def test_metrics_are_computed_of_the_spikes_that_are_left(alf, tmp_path):
    root, _ = alf
    folder = root / ALF / "probe00/pykilosort"
    (folder / "clusters.metrics.pqt").unlink()
    change(folder / "spikes.times.npy", lambda times: np.where(np.arange(len(times)) % 10 == 3, np.nan, times))
    raw = load_local(root, tmp_path, probes=["probe00"])
    assert "computed from the spikes" in raw.provenance["remarks"]["probe00"] and len(raw.units) == 10


def test_an_unknown_region_is_unknown_and_moves_no_other(alf, tmp_path):
    root, written = alf
    for row in (0, 4, 9):
        ids = root / ALF / "probe00/pykilosort/channels.brainLocationIds_ccf_2017.npy"
        known = np.load(ids)
        np.save(ids, np.where(np.arange(len(known)) == row, 123456789, known))
        raw = load_local(root, tmp_path, probes=["probe00"])
        expected = np.where(np.arange(10) == row, "unknown", written.probes["probe00"].region)
        assert raw.units["acronym"].tolist() == expected.tolist()
        assert "123456789" in raw.provenance["remarks"]["probe00"]
        np.save(ids, known)


def test_clusters_on_channels_that_are_not_there_have_no_region(alf, tmp_path):
    root, written = alf
    change(
        root / ALF / "probe00/pykilosort/clusters.channels.npy", lambda channels: np.where(channels == 3, 700, channels)
    )
    raw = load_local(root, tmp_path, probes=["probe00"])
    assert raw.units["acronym"].tolist() == [
        "unknown" if i == 3 else region for i, region in enumerate(written.probes["probe00"].region)
    ]
    assert (
        "region unknown of 1 cluster on channels that the probe does not have" in raw.provenance["remarks"]["probe00"]
    )


def test_identifiers_of_other_clusters_leave_the_probe_out(alf, tmp_path):
    root, _ = alf
    pd.DataFrame({"uuids": ["a"]}).to_csv(root / ALF / "probe00/pykilosort/clusters.uuids.csv", index=False)
    raw = load_local(root, tmp_path)
    assert raw.provenance["problems"]["probe00"] == (
        "the clusters do not fit together (rows: clusters.channels 10, clusters.uuids 1)"
    )
    assert set(raw.units["probe"]) == {"probe01"}


def test_a_camera_without_a_time_gives_way_to_the_other(alf, tmp_path):
    root, _ = alf
    change(root / ALF / "_ibl_leftCamera.times.npy", lambda times: np.full_like(times, np.nan))
    load_local(root, tmp_path)
    remarks = "; ".join(cut(tmp_path, "whisker_motion_energy").remarks)
    assert "of the right camera, as the left one cannot be used" in remarks and "no frame has a time" in remarks


def test_longer_trials_datasets_that_are_not_needed_are_left_out(alf, tmp_path):
    root, written = alf
    n = len(written.trials)
    for name, rows in {
        "goCueTrigger_times": n + 1,
        "quiescencePeriod": n + 1,
        "intervals_bpod": n + 2,
        "extra": n,
    }.items():
        np.save(root / ALF / f"_ibl_trials.{name}.npy", np.arange(rows, dtype=float))
    raw = load_local(root, tmp_path)
    assert raw.provenance["remarks"]["trials"] == (
        f"goCueTrigger_times ({n + 1} rows), intervals_bpod ({n + 2} rows), quiescencePeriod ({n + 1} rows) left out, "
        f"as there are {n} trials"
    )
    pd.testing.assert_frame_equal(raw.trials[written.trials.columns], written.trials)
    assert raw.trials["extra"].tolist() == list(range(n)) and "quiescencePeriod" not in raw.trials


def test_trials_without_a_table_have_the_length_of_most_datasets(alf, tmp_path):
    root, written = alf
    (root / ALF / "_ibl_trials.table.pqt").unlink()
    for name in ("stimOn_times", "choice", "feedback_times"):
        np.save(root / ALF / f"_ibl_trials.{name}.npy", written.trials[name].to_numpy())
    np.save(root / ALF / "_ibl_trials.intervals.npy", written.trials[["intervals_0", "intervals_1"]].to_numpy())
    np.save(root / ALF / "_ibl_trials.intervals_bpod.npy", np.zeros((3, 2)))
    raw = load_local(root, tmp_path)
    assert raw.provenance["remarks"]["trials"] == "intervals_bpod (3 rows) left out, as there are 20 trials"
    np.testing.assert_array_equal(raw.trials["intervals_1"], written.trials["intervals_1"])
    for name in ("stimOn_times", "choice", "intervals"):
        (root / ALF / f"_ibl_trials.{name}.npy").unlink()
    with pytest.raises(UserError, match=r"do not fit together \(rows: feedback_times 20, intervals_bpod 3\)"):
        load_local(root, tmp_path)


@pytest.mark.parametrize("n", [0, 1])
def test_a_wheel_of_one_sample_is_unusable(alf, tmp_path, n):
    root, _ = alf
    for name in ("position", "timestamps"):
        change(root / ALF / f"_ibl_wheel.{name}.npy", lambda values: values[:n])
    assert "known positions" in load_local(root, tmp_path).provenance["problems"]["wheel"]


def test_a_database_that_does_not_answer_is_waited_for_once(tmp_path, monkeypatch):
    """Nobody listens on the port; the second session finds that out from the first."""
    log_in(monkeypatch)
    waited = []
    monkeypatch.setattr(retries.time, "sleep", waited.append)
    settings = DownloadSettings(base_url="http://127.0.0.1:9", pause_s=0)
    for n_waits in (len(retries.WAITS_S), 0):
        waited.clear()
        with pytest.raises(UserError, match=r"127\.0\.0\.1:9 failed") as caught:
            download(source="one", eid=EID, cache_dir=tmp_path / "cache", settings=settings, output=tmp_path / "x.h5")
        assert len(waited) == n_waits and "\n" not in str(caught.value)
    (mark,) = (tmp_path / "cache").glob(".*does_not_answer")
    monkeypatch.setattr(connection.time, "time", lambda: mark.stat().st_mtime + connection.NOT_ASKED_AGAIN_S + 1)
    waited.clear()
    with pytest.raises(UserError):
        download(source="one", eid=EID, cache_dir=tmp_path / "cache", settings=settings, output=tmp_path / "x.h5")
    assert waited
