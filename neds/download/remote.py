"""A session of an Alyx database, through ONE-api."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import one.params
import pandas as pd
import requests
from one.alf.spec import is_uuid_string

from neds.download.loaders import load_session, needed_datasets
from neds.download.retries import NETWORK_ERRORS, first_line, retried
from neds.download.settings import DownloadSettings
from neds.download.verified import VerifyingOne
from neds.errors import UserError
from neds.files.raw import RawSession


def load_remote(*, eid: str, cache_dir: Path, settings: DownloadSettings) -> RawSession:
    """Load one session from the database `settings.base_url`, downloading what `cache_dir` does not hold yet.

    All datasets that are needed are brought to the cache and verified before the first of them is loaded.

    The account is taken from the environment (ONE_TOKEN, or ONE_USERNAME and ONE_PASSWORD), else from ONE's stored
    parameters. Nothing is asked; ONE keeps the token that it is given in its parameters, as always.

    Raises:
        UserError: no account, a refused login, an unknown session, a failing network, a session without trials, or a
            damaged file.
    """
    url = settings.base_url.rstrip("/")
    with explained(url, what=f"session {eid}: the download from {url}"):
        database = retried(partial(connect, url, cache_dir, pause_s=settings.pause_s), what=url)
        datasets = retried(partial(find_datasets, database, eid, settings), what=f"session {eid}")
        database.bring(datasets)
        return load_session(database, one_eid=eid, eid=eid, source="one", settings=settings)


def connect(url: str, cache_dir: Path, *, pause_s: float) -> VerifyingOne:
    """Log in to the database at `url`.

    Raises:
        UserError: no account is known.
        one of NETWORK_ERRORS: the login is refused, or the network fails.
    """
    # An own instance and not ONE(), which returns the first one of the process whatever it is asked for later.
    return VerifyingOne(base_url=url, cache_dir=Path(cache_dir).absolute(), pause_s=pause_s, **_account(url))


def find_datasets(database: VerifyingOne, eid: str, settings: DownloadSettings) -> pd.DataFrame:
    """Records of the datasets that loading a session needs, indexed by session and dataset id.

    Raises:
        UserError: an unknown session, or one without trials.
        one of NETWORK_ERRORS: the network fails.
    """
    # ONE refuses UUIDs of the versions that Alyx never makes.
    if not is_uuid_string(eid) or database.eid2path(eid) is None:
        raise UserError(
            f"session {eid}: {database.alyx.base_url} has no such session, or your account may not see it; check the eid"
        )
    return needed_datasets(database, eid=eid, settings=settings)


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
def explained(url: str, *, what: str) -> Iterator[None]:
    """Turn network failures within the block into UserErrors. `what` is the subject of their sentence."""
    try:
        yield
    except NETWORK_ERRORS as error:
        if _is_login_failure(error):
            raise UserError(f"{url}: the login was refused; check the account: {_how_to_log_in(url)}") from None
        raise UserError(
            f"{what} failed ({first_line(error)}); files already complete are kept, running again resumes with the rest"
        ) from error


def _is_login_failure(error: Exception) -> bool:
    response = getattr(error, "response", None)
    if not isinstance(error, requests.HTTPError) or response is None:
        return False
    return response.status_code in (401, 403) or (response.status_code == 400 and response.url.endswith("/auth-token"))
