"""Raw and aligned arrays against ibllib's own loaders, called directly, and plain loops, on the same ALF tree."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from brainbox.io.one import SessionLoader, SpikeSortingLoader
from iblatlas.regions import BrainRegions
from one.api import One

from neds.files.aligned import read_aligned
from neds.modalities import PAPER
from neds.partition.settings import PartitionRun, PartitionSettings
from neds.partition.stage import partition
from tests.alf_trees import write_session
from tests.download_runs import ALF, load_local, use_scratch_home

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A session of two probes; one camera has three times too many."""
    root = tmp_path_factory.mktemp("alf")
    written = write_session(root)
    np.save(root / ALF / "leftCamera.ROIMotionEnergy.npy", written.cameras["left"][1][3:])
    return root


@pytest.fixture
def raw(tree, tmp_path, monkeypatch):
    use_scratch_home(tmp_path, monkeypatch)
    return load_local(tree, tmp_path)


@pytest.fixture
def ibl(tree, tmp_path):
    """What ibllib gives, each probe's spikes, clusters and channels merged as its documentation does."""
    one = One.setup(cache_dir=shutil.copytree(tree, tmp_path / "copy"), silent=True)
    (eid,) = one.search()
    session = SessionLoader(one=one, eid=eid)
    session.load_trials()
    session.load_wheel()
    session.load_motion_energy(views=["left", "right"])
    probes = {}
    for name in ("probe00", "probe01"):
        atlas = SimpleNamespace(regions=BrainRegions())
        sorting = SpikeSortingLoader(one=one, eid=eid, pname=name, atlas=atlas)
        spikes, clusters, channels = sorting.load_spike_sorting(spike_sorter="pykilosort")
        probes[name] = (spikes, sorting.merge_clusters(spikes, clusters, channels))
    return SimpleNamespace(session=session, probes=probes)


def test_raw_arrays_are_those_of_ibllib(raw, ibl):
    for column in raw.trials:
        np.testing.assert_array_equal(raw.trials[column], ibl.session.trials[column], err_msg=column)
    assert set(ibl.session.trials) == set(raw.trials)
    for name, trace in (("wheel_position", "position"), ("wheel_velocity", "velocity")):
        np.testing.assert_array_equal(raw.traces[name].values, ibl.session.wheel[trace].astype(np.float32))
        np.testing.assert_allclose(raw.traces[name].times, ibl.session.wheel["times"], atol=1e-5)
    for view in ("left", "right"):
        frames, trace = ibl.session.motion_energy[f"{view}Camera"], raw.traces[f"{view}_whisker_motion_energy"]
        np.testing.assert_array_equal(trace.times, frames["times"])
        np.testing.assert_array_equal(trace.values, frames["whiskerMotionEnergy"])
    for name, (spikes, clusters) in ibl.probes.items():
        units = raw.units[raw.units["probe"] == name]
        for ours, theirs in {"uuid": "uuids", "acronym": "acronym", "label": "label", "channel": "channels"}.items():
            np.testing.assert_array_equal(units[ours], clusters[theirs], err_msg=ours)
        np.testing.assert_allclose(units["firing_rate_hz"], clusters["firing_rate"])
        for row, cluster in zip(units.index, units["cluster_id"], strict=True):
            np.testing.assert_array_equal(
                raw.spike_times[raw.spike_units == row], spikes["times"][spikes["clusters"] == cluster]
            )


def test_aligned_arrays_are_those_of_a_plain_loop(raw, ibl, tmp_path):
    settings = PartitionSettings(bin_s=0.02, min_trials=5, min_units=1, min_rate_hz=0)
    output = tmp_path / "aligned.h5"
    run = PartitionRun(modalities=list(PAPER.values()), partition=settings)
    partition(raw=tmp_path / "local.h5", settings=run, output=output)
    aligned = read_aligned(output)

    trials = ibl.session.trials
    known = trials[["choice", "feedback_times", "probabilityLeft", "firstMovement_times", "feedbackType"]].notna()
    rows = [row for row in range(len(trials)) if known.loc[row].all() and trials.loc[row, "choice"] != 0]
    assert len(rows) == 19
    assert list(aligned.trials["original_index"]) == rows
    wheel = ibl.session.wheel
    frames = ibl.session.motion_energy["leftCamera"]
    n_units = 0
    for name, (spikes, clusters) in ibl.probes.items():
        for cluster, uuid in enumerate(clusters["uuids"]):
            (unit,) = np.flatnonzero((aligned.units["uuid"] == uuid) & (aligned.units["probe"] == name))
            times = spikes["times"][spikes["clusters"] == cluster]
            for trial, row in enumerate(rows):
                for b in range(100):
                    left, right = (trials.loc[row, "stimOn_times"] - 0.5 + 0.02 * edge for edge in (b, b + 1))
                    n_spikes = np.count_nonzero((times >= left) & (times < right))
                    assert aligned.values["spikes"][trial, b, unit] == n_spikes
            n_units += 1
    assert aligned.values["spikes"].shape == (19, 100, n_units)
    for trial, row in enumerate(rows):
        right_edges = [trials.loc[row, "stimOn_times"] - 0.5 + 0.02 * (b + 1) for b in range(100)]
        speed = np.interp(right_edges, wheel["times"], wheel["velocity"].abs())
        np.testing.assert_allclose(aligned.values["wheel_speed"][trial, :, 0], speed, atol=1e-4)
        energy = np.interp(right_edges, frames["times"], frames["whiskerMotionEnergy"])
        np.testing.assert_allclose(aligned.values["whisker_motion_energy"][trial, :, 0], energy, rtol=1e-6)
        assert aligned.values["choice"][trial] == {-1: 0, 1: 1}[trials.loc[row, "choice"]]
        assert aligned.values["block"][trial] == {0.2: 0, 0.5: 1, 0.8: 2}[trials.loc[row, "probabilityLeft"]]
