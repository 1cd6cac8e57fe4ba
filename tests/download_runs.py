"""Running the download stage in tests, on a made-up session and away from the user's home."""

import iblutil.io.hashfile
import one.params

from neds.download import retries
from neds.download.settings import DownloadSettings
from neds.download.stage import download
from neds.files.raw import read_raw
from tests.alf_trees import SESSION_PATH

EID = "8b1f0c3e-5d0a-11ee-8c99-0242ac120002"  # version 1: ONE itself would refuse it
ALF = f"{SESSION_PATH}/alf"


def use_scratch_home(tmp_path, monkeypatch):
    """Make an empty folder the home, so that ONE finds and leaves its parameters there; returns it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(one.params, "CACHE_DIR_DEFAULT", str(home / "Downloads" / "ONE"))
    # ONE's hashing clears a buffer of 256 MB for every file, however small.
    monkeypatch.setattr(iblutil.io.hashfile, "BUF_SIZE", 2**16)
    monkeypatch.setattr(retries, "WAITS_S", (0, 0))
    for name in ("ONE_USERNAME", "ONE_PASSWORD", "ONE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    # Accounts are for the loopback database of the tests.
    monkeypatch.setenv("ONE_HOST", "127.0.0.1")
    return home


def log_in(monkeypatch, *, password="correct"):
    """Name the loopback database's account in the environment."""
    monkeypatch.setenv("ONE_USERNAME", "tester")
    monkeypatch.setenv("ONE_PASSWORD", password)


def load_local(root, tmp_path, *, path=SESSION_PATH, **settings):
    output = tmp_path / "local.h5"
    download(
        source="alf", eid=EID, session_path=path, alf_root=root, settings=DownloadSettings(**settings), output=output
    )
    return read_raw(output)


def load_remote(server, tmp_path, *, eid=None, cache="cache", **settings):
    output = tmp_path / "remote.h5"
    download(
        source="one",
        eid=eid or server.eid(SESSION_PATH),
        cache_dir=tmp_path / cache,
        settings=DownloadSettings(base_url=server.url, pause_s=0, **settings),
        output=output,
    )
    return read_raw(output)
