"""Downloads are verified, retried, planned and frozen, with an Alyx on the loopback interface."""

import logging
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from neds.download import stalls, verified
from neds.errors import UserError
from neds.files.raw import read_raw
from tests.alf_trees import SESSION_PATH, write_session
from tests.download_runs import ALF, load_local, load_remote, log_in, use_scratch_home
from tests.loopback_alyx import serving

TRIALS = f"{ALF}/_ibl_trials.table.pqt"
SORTING = f"{ALF}/probe00/pykilosort"


@pytest.fixture(autouse=True)
def logged_in(tmp_path, monkeypatch):
    use_scratch_home(tmp_path, monkeypatch)
    log_in(monkeypatch)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    root = tmp_path_factory.mktemp("alf")
    return root, write_session(root, probes=("probe00",))


@pytest.fixture
def alf(pristine, tmp_path):
    """A copy of the ALF folder that the test may change, and what its files hold."""
    root, written = pristine
    return shutil.copytree(root, tmp_path / "alf"), written


def cached_files(tmp_path):
    return {path for path in (tmp_path / "cache").rglob("*.*.*") if path.is_file() and ".rest" not in path.parts}


def test_passing_faults_are_overcome_and_leave_no_trace(pristine, tmp_path, monkeypatch, caplog):
    root, _ = pristine
    monkeypatch.setattr(stalls, "STALLED_AFTER_S", 0.3)
    caplog.set_level(logging.INFO, "neds")
    with serving(root) as server:
        server.faults = {
            "/auth-token": [500, "stall"],
            "/sessions/": ["stall", 502],
            "/data/" + f"{ALF}/_ibl_wheel.position": [500, "corrupt"],
            "/data/" + f"{ALF}/_ibl_wheel.timestamps": ["stall"],
            "/data/" + f"{ALF}/_ibl_leftCamera.times": ["drop", "drop"],
            "/data/" + f"{SORTING}/spikes.times": ["truncate", 503],
            "/data/" + f"{SORTING}/clusters.channels": ["corrupt", "truncate"],
        }
        remote = load_remote(server, tmp_path)
        assert not any(server.faults.values())
    local = load_local(root, tmp_path)
    assert remote.provenance["datasets"] == local.provenance["datasets"]
    assert remote.provenance["problems"] == {}
    np.testing.assert_array_equal(remote.spike_times, local.spike_times)
    assert len(cached_files(tmp_path)) == len(local.provenance["datasets"])
    assert sum("trying again" in message for message in caplog.messages) == 13


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            "truncate",
            r"_ibl_trials\.table\.pqt: \d+ bytes arrived where the database's record says \d+, at every attempt",
        ),
        (
            "corrupt",
            r"_ibl_trials\.table\.pqt: its MD5 is \w{32} where the database's record says \w{32}, at every attempt",
        ),
        ("drop", r"the download from .* failed \(Remote end closed .*run again to resume"),
        (500, r"the download from .* failed \(HTTP Error 500.*run again to resume"),
    ],
)
def test_a_lasting_fault_is_one_sentence_and_nothing_wrong_is_kept(pristine, tmp_path, fault, said):
    with serving(pristine[0]) as server:
        server.faults["/data"] = [fault] * 3
        with pytest.raises(UserError, match=f"^session {server.eid(SESSION_PATH)}: .*{said}") as raised:
            load_remote(server, tmp_path)
        assert "\n" not in str(raised.value)
        assert not server.faults["/data"]
        assert not cached_files(tmp_path)
        assert not (tmp_path / "remote.h5").exists()


def test_a_record_that_no_file_fits_is_a_refusal(pristine, tmp_path):
    with serving(pristine[0]) as server:
        server.record(TRIALS)["hash"] = "0" * 32
        with pytest.raises(UserError, match=f"record says {'0' * 32}, at every attempt, so it was not kept"):
            load_remote(server, tmp_path)
        assert not cached_files(tmp_path)


def test_a_file_that_the_server_lacks_is_asked_for_once(alf, tmp_path):
    root, _ = alf
    with serving(root) as server:
        (root / TRIALS).unlink()
        server.faults["/data"] = ["fine"] * 3
        with pytest.raises(
            UserError, match=r"table\.pqt: the database lists it but its file server has no such file; tell"
        ):
            load_remote(server, tmp_path)
        assert len(server.faults["/data"]) == 2


def test_a_file_that_was_damaged_in_the_cache_is_downloaded_again(pristine, tmp_path):
    with serving(pristine[0]) as server:
        before = load_remote(server, tmp_path)
        server.served.clear()
        for path in (f"{SORTING}/spikes.times.npy", f"{ALF}/_ibl_wheel.position.npy"):
            file = tmp_path / "cache" / path
            content = file.read_bytes()
            file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        again = load_remote(server, tmp_path)
        assert sorted(server.served) == [f"{ALF}/_ibl_wheel.position.npy", f"{SORTING}/spikes.times.npy"]
    np.testing.assert_array_equal(again.spike_times, before.spike_times)


def test_a_dataset_without_a_hash_is_verified_by_its_size(pristine, tmp_path, caplog):
    with serving(pristine[0]) as server:
        server.record(TRIALS)["hash"] = None
        server.faults["/data"] = ["truncate"]
        raw = load_remote(server, tmp_path)
    assert "the database has no hash of it, so only its size was verified" in caplog.text
    entry = next(entry for entry in raw.provenance["datasets"] if entry["name"] == "_ibl_trials.table.pqt")
    assert len(entry["hash"]) == 32


def test_what_will_be_downloaded_is_told_before_and_one_line_each(alf, tmp_path, caplog):
    root, _ = alf
    np.save(root / SORTING / "spikes.templates.npy", np.zeros(3000))
    (root / ALF / "rightCamera.ROIMotionEnergy.npy").unlink()
    caplog.set_level(logging.INFO, "neds.download.verified")
    with serving(root) as server:
        raw = load_remote(server, tmp_path)
        served = server.served
        (tmp_path / "cache" / TRIALS).unlink()
        n_lines = len(caplog.messages)
        load_remote(server, tmp_path)
    used = {f"{entry['collection']}/{entry['name']}" for entry in raw.provenance["datasets"]}
    assert {path.removeprefix(f"{SESSION_PATH}/") for path in served} == used, "only what is needed is downloaded"
    assert n_lines == 1 + len(used)
    size = sum(entry["size"] for entry in raw.provenance["datasets"]) / 1e6
    assert caplog.messages[0] == f"15 datasets, {size:.1f} MB; in the cache: 0; to download: {size:.1f} MB"
    assert caplog.messages[1].startswith("1 of 15: alf/_ibl_trials.table.pqt, 0.0 MB, downloaded and verified")
    assert caplog.messages[n_lines].endswith("in the cache: 14; to download: 0.0 MB")
    assert caplog.messages[-1].endswith("verified in the cache")


def test_what_only_computing_metrics_needs_is_downloaded_for_that_alone(alf, tmp_path):
    root, _ = alf
    with serving(root) as server:
        load_remote(server, tmp_path)
        assert not any("spikes.amps" in path for path in server.served)
        metrics = root / SORTING / "clusters.metrics.pqt"
        pd.read_parquet(metrics).assign(cluster_id=0).to_parquet(metrics)
        server.register()
        raw = load_remote(server, tmp_path, cache="other")
        assert f"{SORTING}/spikes.amps.npy" in server.served
    assert "computed from the spikes" in raw.provenance["remarks"]["probe00"]


def test_too_little_disk_space_is_told_before_the_first_byte(pristine, tmp_path, monkeypatch):
    monkeypatch.setattr(verified.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with serving(pristine[0]) as server:
        with pytest.raises(
            UserError, match=r"cache: 0\.\d MB are to be downloaded but 0\.0 MB free; .*download\.cache_dir"
        ):
            load_remote(server, tmp_path)
        assert server.served == []


def test_a_session_without_trials_is_refused_before_the_first_byte(alf, tmp_path):
    root, _ = alf
    (root / TRIALS).unlink()
    with serving(root) as server:
        with pytest.raises(UserError, match=f"session {server.eid(SESSION_PATH)}: the session has no trials datasets"):
            load_remote(server, tmp_path)
        assert server.served == []


def test_a_frozen_session_stays_the_same_whatever_is_added_later(alf, tmp_path):
    root, written = alf
    settings = {"revision_before": "2024-06-01", "spike_sorter": "iblsorter"}
    with serving(root) as server:
        load_remote(server, tmp_path, cache="first", **settings)
        first = (tmp_path / "remote.h5").read_bytes()
        add_later_revisions(root, written)
        server.register()
        for record in server.sessions[server.eid(SESSION_PATH)]["data_dataset_session_related"]:
            record["default_revision"] = str("#" in record["data_url"])
        load_remote(server, tmp_path, cache="second", **settings)
    assert (tmp_path / "remote.h5").read_bytes() == first
    raw = read_raw(tmp_path / "remote.h5")
    assert raw.provenance["spike_sorting"] == {"probe00": "alf/probe00/pykilosort"}


def add_later_revisions(root, written):
    """New trials, spikes and metrics; a new spike sorting; a new probe; a second collection with trials."""
    for folder, names in ((ALF, ["_ibl_trials.table.pqt"]), (SORTING, ["spikes.times.npy", "clusters.metrics.pqt"])):
        (root / folder / "#2025-03-03#").mkdir()
        for name in names:
            shutil.copy(root / folder / name, root / folder / "#2025-03-03#")
    written.trials.assign(rewardVolume=3.0).to_parquet(root / ALF / "#2025-03-03#" / "_ibl_trials.table.pqt")
    for folder in ("probe00/iblsorter", "probe07/pykilosort", "task_01"):
        (root / ALF / folder / "#2025-05-01#").mkdir(parents=True)
    for file in (root / SORTING).glob("*.*"):
        for folder in ("probe00/iblsorter", "probe07/pykilosort"):
            shutil.copy(file, root / ALF / folder / "#2025-05-01#")
    shutil.copy(root / TRIALS, root / ALF / "task_01" / "#2025-05-01#")


def test_downloads_begin_no_closer_than_the_pause(monkeypatch):
    now = [100.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(verified, "time", clock)
    monkeypatch.setattr(verified.OneAlyx, "__init__", lambda self, **options: None)
    database = verified.VerifyingOne(pause_s=0.5)
    starts = []
    for transfer_s in (0.0, 0.2, 3.0, 0.0):
        database._wait_for_turn()
        starts.append(now[0])
        now[0] += transfer_s
    assert starts == [100.0, 100.5, 101.0, 104.0]
