"""An end to connections over which nothing comes any more."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requests import Response
from requests.adapters import HTTPAdapter

STALLED_AFTER_S = 60.0


@contextmanager
def stalls_ended() -> Iterator[None]:
    """Within the block such a connection fails after `STALLED_AFTER_S`. ONE sets no limit itself, and would wait for ever.

    It applies to the whole process: to urllib, by which ONE downloads files, and to requests, by which it asks the database.
    """
    before, send = socket.getdefaulttimeout(), HTTPAdapter.send

    def send_with_limit(self: HTTPAdapter, *args: Any, **options: Any) -> Response:
        if options.get("timeout") is None:
            options["timeout"] = STALLED_AFTER_S
        return send(self, *args, **options)

    socket.setdefaulttimeout(STALLED_AFTER_S)
    HTTPAdapter.send = send_with_limit  # type: ignore[method-assign]  # there is no setting for it
    try:
        yield
    finally:
        HTTPAdapter.send = send  # type: ignore[method-assign]  # likewise
        socket.setdefaulttimeout(before)
