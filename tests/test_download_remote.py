"""The download stage: database -> raw file, with an Alyx on the loopback interface."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import one.webclient
import pandas as pd
import pytest

from neds.config import check_config
from neds.download.search import SessionQuery, search
from neds.errors import UserError
from tests.alf_trees import SESSION_PATH, write_session
from tests.download_runs import ALF, EID, load_local, load_remote, log_in, use_scratch_home
from tests.loopback_alyx import serving


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


def test_remote_session_equals_the_local_one(pristine, tmp_path, monkeypatch):
    root, _ = pristine
    log_in(monkeypatch)
    with serving(root) as server:
        remote = load_remote(server, tmp_path)
        downloaded = list(server.served)
        load_remote(server, tmp_path)
        assert server.served == downloaded, "files in the cache are not downloaded again"
    local = load_local(root, tmp_path)
    assert remote.eid == server.eid(SESSION_PATH)
    assert (remote.lab, remote.subject, remote.date) == (local.lab, local.subject, local.date)
    np.testing.assert_array_equal(remote.spike_times, local.spike_times)
    np.testing.assert_array_equal(remote.spike_units, local.spike_units)
    pd.testing.assert_frame_equal(remote.units, local.units)
    pd.testing.assert_frame_equal(remote.trials, local.trials)
    assert remote.traces.keys() == local.traces.keys()
    for name, trace in local.traces.items():
        np.testing.assert_array_equal(remote.traces[name].times, trace.times)
        np.testing.assert_array_equal(remote.traces[name].values, trace.values)
    assert remote.provenance["problems"] == {}
    assert remote.provenance["datasets"] == local.provenance["datasets"]
    assert len(set(downloaded)) == len(downloaded) == len(remote.provenance["datasets"])


def test_remote_takes_the_default_revision_or_the_frozen_one(alf, tmp_path, monkeypatch):
    root, written = alf
    later = root / ALF / "#2024-01-01#"
    later.mkdir()
    written.trials.assign(rewardVolume=3.0).to_parquet(later / "_ibl_trials.table.pqt")
    log_in(monkeypatch)
    with serving(root) as server:
        assert (load_remote(server, tmp_path).trials["rewardVolume"] == 1.5).all()
        frozen = load_remote(server, tmp_path, revision_before="2024-06-01")
    assert (frozen.trials["rewardVolume"] == 3).all()
    assert any(entry["revision"] == "2024-01-01" for entry in frozen.provenance["datasets"])


def test_remote_without_locations_does_not_ask_for_histology(alf, tmp_path, monkeypatch):
    root, _ = alf
    for file in root.rglob("channels.brainLocationIds*"):
        file.unlink()
    log_in(monkeypatch)
    with serving(root) as server:
        raw = load_remote(server, tmp_path)
    assert set(raw.units["cosmos"]) == {"unknown"}


def test_a_download_that_was_interrupted_starts_that_file_again(pristine, tmp_path, monkeypatch):
    log_in(monkeypatch)
    with serving(pristine[0]) as server:
        served_name = Path(urlsplit(server.data_url(f"{ALF}/_ibl_wheel.position.npy")).path).name
        partial = tmp_path / "cache" / ALF / served_name
        partial.parent.mkdir(parents=True)
        partial.write_bytes((pristine[0] / ALF / "_ibl_wheel.position.npy").read_bytes()[:1000])
        raw = load_remote(server, tmp_path)
    assert raw.provenance["problems"] == {}
    assert not partial.exists()


def test_a_token_or_a_stored_account_is_enough(pristine, tmp_path, monkeypatch):
    with serving(pristine[0]) as server:
        monkeypatch.setenv("ONE_TOKEN", server.token)
        load_remote(server, tmp_path)
        monkeypatch.delenv("ONE_TOKEN")
        load_remote(server, tmp_path)


def test_no_account_says_what_to_do(pristine, tmp_path):
    with serving(pristine[0]) as server, pytest.raises(UserError) as raised:
        load_remote(server, tmp_path)
    for hint in ("no account is known", "register at", "ONE_USERNAME", "ONE_PASSWORD", "ONE_TOKEN"):
        assert hint in str(raised.value)


@pytest.mark.parametrize("account", [{"ONE_TOKEN": "0123abcd"}, {"ONE_USERNAME": "tester", "ONE_PASSWORD": "correct"}])
@pytest.mark.parametrize("host", [None, "", "127.0.0.2", "127.0.0.1:9", "alyx.example.org"])
def test_an_account_goes_to_no_host_that_it_is_not_for(host, account, pristine, tmp_path, monkeypatch):
    monkeypatch.delenv("ONE_HOST") if host is None else monkeypatch.setenv("ONE_HOST", host)
    for name, value in account.items():
        monkeypatch.setenv(name, value)
    with serving(pristine[0]) as server:
        with pytest.raises(UserError) as raised:
            load_remote(server, tmp_path)
        assert not server.asked
        meant = host or "openalyx.internationalbrainlab.org"
        assert f"in the environment are for {meant} and are not sent to others" in str(raised.value)
        assert not set(account.values()) & set(str(raised.value).split())
        monkeypatch.setenv("ONE_HOST", urlsplit(server.url).netloc.upper())
        assert load_remote(server, tmp_path).provenance["problems"] == {}


@pytest.mark.parametrize(
    "url",
    [
        "http://alyx.example.org",
        "HTTP://openalyx.internationalbrainlab.org",
        "http://127.0.0.1.example.org",
        "http://localhost@example.org",
        "https://openalyx.internationalbrainlab.org@example.org",
        "https://example.org\\@openalyx.internationalbrainlab.org",
        "https://openalyx.internationalbrainlab.org#.example.org",
        "openalyx.internationalbrainlab.org",
        "file:///etc/passwd",
        "",
        "https://",
        "https://a b",
    ],
)
def test_addresses_to_which_no_account_is_sent_are_one_line(url, tmp_path, monkeypatch):
    log_in(monkeypatch)
    with pytest.raises(UserError) as raised:
        check_config({"download": {"base_url": url}}, base=tmp_path)
    (line,) = str(raised.value).splitlines()
    assert line.startswith("config key download.base_url: ") and "https://" in line
    with pytest.raises(UserError):
        search(url, SessionQuery(tag="x"))


def test_a_refused_login_says_what_to_do(pristine, tmp_path, monkeypatch):
    log_in(monkeypatch, password="hunter2")
    with serving(pristine[0]) as server:
        with pytest.raises(UserError, match="the login was refused; check the account: register at") as raised:
            load_remote(server, tmp_path)
        assert "hunter2" not in str(raised.value)
        monkeypatch.setenv("ONE_TOKEN", "wrong")
        with pytest.raises(UserError, match="the login was refused"):
            load_remote(server, tmp_path)


def test_a_stored_token_that_expired_says_what_to_do(pristine, tmp_path, monkeypatch):
    with serving(pristine[0]) as server:
        monkeypatch.setenv("ONE_TOKEN", server.token)
        load_remote(server, tmp_path)
        monkeypatch.delenv("ONE_TOKEN")
        server.token = "renewed"
        with pytest.warns(UserWarning, match="No password"), pytest.raises(UserError, match="the login was refused"):
            load_remote(server, tmp_path, cache="other")


def test_an_unknown_eid_is_named(pristine, tmp_path, monkeypatch):
    log_in(monkeypatch)
    with serving(pristine[0]) as server, pytest.raises(UserError, match=f"session {EID}: .* has no such session"):
        load_remote(server, tmp_path, eid=EID)


@pytest.mark.parametrize("prefix", ["/sessions", "/data", "/auth-token"])
def test_a_server_that_stays_unavailable_names_the_session(pristine, tmp_path, monkeypatch, prefix):
    log_in(monkeypatch)
    monkeypatch.setattr(one.webclient, "sleep", lambda seconds: None)
    with serving(pristine[0]) as server:
        server.failing[prefix] = 503
        with pytest.raises(UserError, match=f"session {server.eid(SESSION_PATH)}: .*503.* run again to resume"):
            load_remote(server, tmp_path)
        server.failing.clear()
        load_remote(server, tmp_path)


def test_an_unreachable_server_names_the_session(pristine, tmp_path, monkeypatch):
    log_in(monkeypatch)
    with serving(pristine[0]) as server:
        pass
    with pytest.raises(UserError, match=f"session {server.eid(SESSION_PATH)}: the download from"):
        load_remote(server, tmp_path)
