"""Trying again when the network fails."""

import http.client
import logging
import textwrap
import time
import urllib.error
from collections.abc import Callable
from typing import TypeVar

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from neds.errors import UserError
from neds.files.addresses import host_of

_log = logging.getLogger(__name__)
Result = TypeVar("Result")

WAITS_S = (2, 8, 30, 60)
"""Seconds before the second, third, ... attempt."""

_LONGEST_CAUSE = 200


class WrongBytes(Exception):
    """What arrived is not what the database's record says; the message tells the difference."""


NETWORK_ERRORS = (
    requests.RequestException,
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
)


def retried(action: Callable[[], Result], *, what: str) -> Result:
    """The result of `action`, which is tried again after passing failures, each time after a longer wait.

    Args:
        what: name of the action, for the log.

    Raises:
        WrongBytes, or one of NETWORK_ERRORS: the last failure, or the first that no waiting mends.
    """
    for wait_s in (*WAITS_S, None):
        try:
            return action()
        except (*NETWORK_ERRORS, WrongBytes) as error:
            if wait_s is None or not _may_pass(error):
                raise
            _log.warning("%s: %s; trying again in %d s", what, cause_of(error), wait_s)
            time.sleep(wait_s)
    raise AssertionError("the last attempt returns or raises")


def retried_or_refused(action: Callable[[], Result], *, what: str, advice: str) -> Result:
    """As `retried`, for a download of which the user is told when nothing mends it.

    Args:
        what: the file, with its session.
        advice: what to do if it stays wrong.

    Raises:
        UserError: other bytes than expected at every attempt, or no such file.
        one of NETWORK_ERRORS: as for `retried`.
    """
    try:
        return retried(action, what=what)
    except WrongBytes as wrong:
        raise UserError(
            f"{what}: {wrong}, at every attempt, so it was not kept; run again later, and if it stays so, {advice}"
        ) from None
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        raise UserError(f"{what}: the database lists it but its file server has no such file; {advice}") from None


def cause_of(error: Exception) -> str:
    """Why the network failed, in one line."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    request = getattr(error, "request", None)
    if request is not None and isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return f"cannot connect to {host_of(request.url)}"
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return textwrap.shorten(line, _LONGEST_CAUSE, placeholder=" ...")


def _may_pass(error: Exception) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        # Not all of what is refused for now gets a status of its own, but a file that is not there does.
        return error.code != 404
    response = getattr(error, "response", None)
    # Of 429 and 503 from the database ONE has waited for the end already.
    return response is None or (response.status_code >= 500 and response.status_code != 503)
