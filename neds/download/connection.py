"""Logging in to an Alyx database, and what to say when that or the network fails."""

import os
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import one.params
import requests

from neds.download.retries import NETWORK_ERRORS, cause_of, retried
from neds.download.settings import PUBLIC_DATABASE, url_fault
from neds.download.stalls import stalls_ended
from neds.download.verified import VerifyingOne
from neds.errors import UserError

NOT_ASKED_AGAIN_S = 900.0
"""So long after a failure to connect, no session waits for the database again."""
ANSWER_WITHIN_S = 5.0
_ACCOUNT = ("ONE_TOKEN", "ONE_USERNAME", "ONE_PASSWORD")


def connect(url: str, cache_dir: Path, *, pause_s: float) -> VerifyingOne:
    """Log in to the database at `url`.

    Raises:
        UserError: no account is known for this database, or its address is not one to send an account to.
        one of NETWORK_ERRORS: the login is refused, or the network fails.
    """
    if fault := url_fault(url):
        raise UserError(fault)
    # An own instance and not ONE(), which returns the first one of the process whatever it is asked for later.
    return VerifyingOne(base_url=url, cache_dir=Path(cache_dir).absolute(), pause_s=pause_s, **_account(url))


def connect_once_for_all(url: str, cache_dir: Path, *, pause_s: float) -> VerifyingOne:
    """As `connect`, tried again after failures; but not where another session found a moment ago that nobody answers.

    Every session is loaded by a process of its own, and each would wait as long as the first. A file in `cache_dir` tells.

    Raises:
        UserError: no account is known.
        one of NETWORK_ERRORS: the login is refused, or the network fails.
    """
    address = urlsplit(url)
    mark = Path(cache_dir) / f".{address.hostname}_{address.port or address.scheme}_does_not_answer"
    attempt = partial(connect, url, cache_dir, pause_s=pause_s)
    try:
        if _is_recent(mark):
            _require_answer(url)
            database = attempt()
        else:
            database = retried(attempt, what=url)
    except NETWORK_ERRORS as error:
        # Whoever answers with a refusal does answer.
        if isinstance(error, urllib.error.HTTPError) or getattr(error, "response", None) is not None:
            raise
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        raise
    mark.unlink(missing_ok=True)
    return database


def _is_recent(mark: Path) -> bool:
    return mark.exists() and time.time() - mark.stat().st_mtime < NOT_ASKED_AGAIN_S


def _require_answer(url: str) -> None:
    try:
        requests.get(url, timeout=ANSWER_WITHIN_S, stream=True, allow_redirects=False).close()
    except (requests.ConnectionError, requests.Timeout) as error:
        raise requests.ConnectionError(f"it does not answer, as another session found before: {error}") from None


def _account(url: str) -> dict[str, str]:
    """The environment's account, where it is for this database, or the one that ONE has stored for it."""
    given = {name: os.environ[name] for name in _ACCOUNT if os.environ.get(name)}
    is_meant = _is_for(url)
    token, user, password = (given.get(name) if is_meant else None for name in _ACCOUNT)
    if token:
        return {"token": token}
    if user and password:
        return {"username": user, "password": password}
    stored = one.params.get(client=url, silent=True).as_dict()
    user = user or stored["ALYX_LOGIN"]
    if user and (user in stored.get("TOKEN", {}) or stored.get("ALYX_PWD")):
        return {"username": user}
    if given and not is_meant:
        raise UserError(
            f"{url}: {', '.join(given)} in the environment are for {_meant_host()} and are not sent to others; if they are "
            f"for this database, set ONE_HOST={urlsplit(url).netloc} beside them"
        )
    raise UserError(f"{url}: no account is known; {_how_to_log_in(url)}")


def _is_for(url: str) -> bool:
    """Whether the environment's account is for the database at `url`: ONE_HOST names its host, with or without the port."""
    address = urlsplit(url)
    return _meant_host() in (address.hostname, address.netloc.lower())


def _meant_host() -> str:
    return os.environ.get("ONE_HOST", "").strip().lower() or str(urlsplit(PUBLIC_DATABASE).hostname)


def _how_to_log_in(url: str) -> str:
    host = "" if url.startswith(PUBLIC_DATABASE) else f", and ONE_HOST={urlsplit(url).netloc}"
    return (
        f"register at {url}/signup, then set the environment variables ONE_USERNAME and ONE_PASSWORD, or ONE_TOKEN "
        f"(shown at {url}/me){host}, or store the account with ONE's own set-up "
        "(python -c 'from one.api import ONE; ONE.setup()')"
    )


@contextmanager
def explained(url: str, *, what: str) -> Iterator[None]:
    """Turn network failures within the block, stalled connections too, into UserErrors. `what`: their sentence's subject."""
    try:
        with stalls_ended():
            yield
    except NETWORK_ERRORS as error:
        if _is_login_failure(error):
            raise UserError(f"{url}: the login was refused; check the account: {_how_to_log_in(url)}") from None
        raise UserError(f"{what} failed ({cause_of(error)}); what is complete is kept, run again to resume") from error


def _is_login_failure(error: Exception) -> bool:
    response = getattr(error, "response", None)
    if not isinstance(error, requests.HTTPError) or response is None:
        return False
    return response.status_code in (401, 403) or (response.status_code == 400 and response.url.endswith("/auth-token"))
