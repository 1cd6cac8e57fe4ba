"""An end to connections over which nothing comes any more."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from requests.adapters import HTTPAdapter

STALLED_AFTER_S = 60.0


@contextmanager
def stalls_ended() -> Iterator[None]:
    """Within the block such a connection fails after `STALLED_AFTER_S`. ONE sets no limit itself, and would wait for ever.

    It applies to the whole process: to urllib, by which ONE downloads files, and to requests, by which it asks the database.
    """
    before, send = socket.getdefaulttimeout(), HTTPAdapter.send

    def send_with_limit(self, request, *args, **options):
        if options.get("timeout") is None:
            options["timeout"] = STALLED_AFTER_S
        return send(self, request, *args, **options)

    socket.setdefaulttimeout(STALLED_AFTER_S)
    HTTPAdapter.send = send_with_limit
    try:
        yield
    finally:
        HTTPAdapter.send = send
        socket.setdefaulttimeout(before)
