"""LFP from a database, of which only the chunks around the trials are downloaded; with an Alyx on the loopback interface."""

import numpy as np
import pytest

from neds.download.amount import amounts, summary
from neds.download.settings import DownloadSettings, LfpSettings
from neds.errors import UserError
from tests.alf_trees import SESSION_PATH, write_session
from tests.download_runs import load_local, load_remote, log_in, use_scratch_home
from tests.lfp_recordings import NAME, RATE_HZ, write_lfp
from tests.loopback_alyx import serving

PROBE = f"{SESSION_PATH}/raw_ephys_data/probe00"
RECORDING = f"{PROBE}/{NAME}.lf.cbin"
WANTED = {
    "extras": ["lfp"],
    "lfp": LfpSettings(step_s=0.1, event="stimOn_times", start_s=-0.5, end_s=1.5).model_dump(),
}


@pytest.fixture(autouse=True)
def logged_in(tmp_path, monkeypatch):
    use_scratch_home(tmp_path, monkeypatch)
    log_in(monkeypatch)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A session whose LFP recording begins long before its first trial, and ends long after its last."""
    root = tmp_path_factory.mktemp("alf")
    write_session(root, probes=("probe00",))
    noise = np.random.default_rng(0).normal(0, 5, (round(120 * RATE_HZ), 8))
    write_lfp(root / PROBE, noise, start_s=-30.0)
    return root


def address(server):
    return server.data_url(RECORDING).removeprefix(server.url)


def n_bytes(parts):
    return sum(last + 1 - first for _, first, last in parts)


def assert_same_lfp(raw, expected):
    assert raw.provenance["problems"] == {}
    np.testing.assert_array_equal(raw.traces["lfp"].times, expected.traces["lfp"].times)
    np.testing.assert_array_equal(raw.traces["lfp"].values, expected.traces["lfp"].values)


def test_only_chunks_around_the_trials_are_downloaded_and_once(root, tmp_path):
    with serving(root) as server:
        remote = load_remote(server, tmp_path, **WANTED)
        size = (root / RECORDING).stat().st_size
        assert RECORDING not in server.served
        assert 0.4 < n_bytes(server.parts) / size < 0.6, "60 of 120 s hold trials"
        (entry,) = (entry for entry in remote.provenance["datasets"] if entry.get("in_parts"))
        assert (entry["name"], entry["hash"], entry["size"]) == (
            f"{NAME}.lf.cbin",
            server.record(RECORDING)["hash"],
            size,
        )
        n_parts = len(server.parts)
        load_remote(server, tmp_path, **WANTED)
        assert len(server.parts) == n_parts, "what was downloaded is kept"
    assert_same_lfp(remote, load_local(root, tmp_path, **WANTED))
    assert not (tmp_path / "cache" / RECORDING).exists(), "nothing incomplete bears the name of the whole"


def test_passing_faults_are_overcome_and_a_lasting_one_loses_nothing(root, tmp_path):
    with serving(root) as server:
        server.faults[address(server)] = ["drop", "truncate", "fine", "corrupt", 503, "fine", *["corrupt"] * 3]
        said = r"lf\.cbin: a chunk of it arrived that its own checksum does not fit, at every attempt"
        with pytest.raises(UserError, match=said):
            load_remote(server, tmp_path, **WANTED)
        _, start, _ = server.parts[0]
        server.parts.clear()
        remote = load_remote(server, tmp_path, **WANTED)
        assert min(first for _, first, _ in server.parts) > start, "it resumes where it stopped"
    assert_same_lfp(remote, load_local(root, tmp_path, **WANTED))


def test_a_network_that_fails_is_no_damaged_recording(root, tmp_path):
    with serving(root) as server:
        server.faults[address(server)] = ["drop"] * 3
        with pytest.raises(UserError, match=r"the download from .* failed .*run again to resume"):
            load_remote(server, tmp_path, **WANTED)


def test_a_recording_that_the_server_lacks_is_asked_for_once(root, tmp_path):
    with serving(root) as server:
        server.faults[address(server)] = [404, "fine"]
        with pytest.raises(
            UserError, match=r"lf\.cbin: the database lists it but its file server has no such file; take lfp"
        ):
            load_remote(server, tmp_path, **WANTED)
        assert server.faults[address(server)] == ["fine"]


def test_a_server_without_parts_is_told(root, tmp_path):
    with serving(root) as server:
        server.gives_parts = False
        with pytest.raises(
            UserError, match=r"its server gives whole files only; download it whole, with ONE, to the folder"
        ):
            load_remote(server, tmp_path, **WANTED)


def test_a_recording_that_the_cache_has_whole_is_used(root, tmp_path):
    with serving(root) as server:
        whole = tmp_path / "cache" / RECORDING
        whole.parent.mkdir(parents=True)
        whole.write_bytes((root / RECORDING).read_bytes())
        remote = load_remote(server, tmp_path, **WANTED)
        assert not server.parts and RECORDING not in server.served
        assert not any(entry.get("in_parts") for entry in remote.provenance["datasets"])
    assert_same_lfp(remote, load_local(root, tmp_path, **WANTED))


def test_what_will_be_read_in_parts_is_told_before(root, tmp_path):
    with serving(root) as server:
        settings = DownloadSettings(base_url=server.url, pause_s=0, **WANTED)
        table = amounts([server.eid(SESSION_PATH)], cache_dir=tmp_path / "cache", settings=settings)
        assert not server.served and not server.parts
    size = (root / RECORDING).stat().st_size
    assert table["bytes_in_parts"].tolist() == [size]
    said = summary(table, cache_dir=tmp_path)
    assert f", {size / 1e6:.1f} MB of them recordings of which only parts are fetched; " in said
