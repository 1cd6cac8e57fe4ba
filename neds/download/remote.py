"""A session of an Alyx database, through ONE-api."""

import http.client
import os
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import one.params
import requests
from one.alf.path import ALFPath
from one.alf.spec import is_uuid_string
from one.api import OneAlyx

from neds.download.loaders import load_session
from neds.download.settings import DownloadSettings
from neds.errors import UserError
from neds.files.raw import RawSession

_NETWORK_ERRORS = (
    requests.RequestException,
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
)


def load_remote(*, eid: str, cache_dir: Path, settings: DownloadSettings) -> RawSession:
    """Load one session from the database `settings.base_url`, downloading what `cache_dir` does not hold yet.

    The account is taken from the environment (ONE_TOKEN, or ONE_USERNAME and ONE_PASSWORD), else from ONE's stored
    parameters. Nothing is asked; ONE keeps the token that it is given in its parameters, as always.

    Raises:
        UserError: no account, a refused login, an unknown session, a failing network, a session without trials, or a
            damaged file.
    """
    url = settings.base_url.rstrip("/")
    with _explained(eid, url):
        database = _connect(url, cache_dir)
        # ONE refuses UUIDs of the versions that Alyx never makes.
        folder = database.eid2path(eid) if is_uuid_string(eid) else None
        if folder is None:
            raise UserError(f"session {eid}: {url} has no such session, or your account may not see it; check the eid")
        _remove_partial_files(folder)
        return load_session(database, one_eid=eid, eid=eid, source="one", settings=settings)


def _remove_partial_files(folder: ALFPath) -> None:
    # ONE downloads to a name that carries the dataset's id, renames the file at the end, and in a later run takes one
    # that still has such a name for complete.
    for file in folder.rglob("*.*.*.*"):
        if file.without_uuid() != file:
            file.unlink()


def _connect(url: str, cache_dir: Path) -> OneAlyx:
    # OneAlyx and not ONE(), which returns the first instance of the process whatever it is asked for later.
    return OneAlyx(base_url=url, cache_dir=Path(cache_dir).absolute(), mode="remote", silent=True, **_account(url))


def _account(url: str) -> dict[str, str]:
    token, user, password = (os.environ.get(f"ONE_{name}") for name in ("TOKEN", "USERNAME", "PASSWORD"))
    if token:
        return {"token": token}
    if user and password:
        return {"username": user, "password": password}
    stored = one.params.get(client=url, silent=True).as_dict()
    user = user or stored["ALYX_LOGIN"]
    if user and (user in stored.get("TOKEN", {}) or stored.get("ALYX_PWD")):
        return {"username": user}
    raise UserError(f"{url}: no account is known; {_how_to_log_in(url)}")


def _how_to_log_in(url: str) -> str:
    return (
        f"register at {url}/signup, then set the environment variables ONE_USERNAME and ONE_PASSWORD, or ONE_TOKEN "
        f"(shown at {url}/me), or store the account with ONE's own set-up (python -c 'from one.api import ONE; ONE.setup()')"
    )


@contextmanager
def _explained(eid: str, url: str) -> Iterator[None]:
    try:
        yield
    except _NETWORK_ERRORS as error:
        if _is_login_failure(error):
            raise UserError(f"{url}: the login was refused; check the account: {_how_to_log_in(url)}") from None
        what = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"session {eid}: the download from {url} failed ({what}); files already complete are kept, "
            "running again resumes with the rest"
        ) from error


def _is_login_failure(error: Exception) -> bool:
    response = getattr(error, "response", None)
    if not isinstance(error, requests.HTTPError) or response is None:
        return False
    return response.status_code in (401, 403) or (response.status_code == 400 and response.url.endswith("/auth-token"))
