"""Logging in to an Alyx database, and what to say when that or the network fails."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import one.params
import requests

from neds.download.retries import NETWORK_ERRORS, first_line
from neds.download.stalls import stalls_ended
from neds.download.verified import VerifyingOne
from neds.errors import UserError


def connect(url: str, cache_dir: Path, *, pause_s: float) -> VerifyingOne:
    """Log in to the database at `url`.

    Raises:
        UserError: no account is known.
        one of NETWORK_ERRORS: the login is refused, or the network fails.
    """
    # An own instance and not ONE(), which returns the first one of the process whatever it is asked for later.
    return VerifyingOne(base_url=url, cache_dir=Path(cache_dir).absolute(), pause_s=pause_s, **_account(url))


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
    """Turn network failures within the block, stalled connections too, into UserErrors. `what`: their sentence's subject."""
    try:
        with stalls_ended():
            yield
    except NETWORK_ERRORS as error:
        if _is_login_failure(error):
            raise UserError(f"{url}: the login was refused; check the account: {_how_to_log_in(url)}") from None
        raise UserError(
            f"{what} failed ({first_line(error)}); what is complete is kept, run again to resume"
        ) from error


def _is_login_failure(error: Exception) -> bool:
    response = getattr(error, "response", None)
    if not isinstance(error, requests.HTTPError) or response is None:
        return False
    return response.status_code in (401, 403) or (response.status_code == 400 and response.url.endswith("/auth-token"))
