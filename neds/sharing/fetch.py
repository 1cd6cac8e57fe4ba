"""Files of a shared model from the web: over https alone, and never more bytes than were announced."""

import http.client
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from neds.errors import UserError
from neds.files.addresses import LOOPBACK, is_secure

_CHUNK = 2**20
_TIMEOUT_S = 60.0


def folder_url(source: str) -> str:
    """The address below which the files of a model lie; of a model's page on Hugging Face, that of its files.

    Raises:
        UserError: no address, or one that is not https.
    """
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise UserError(f"--source: {source}: is no address ({error}); copy it from the browser") from None
    if not is_secure(source, from_loopback=True):
        raise UserError(f"--source: {source}: only https is fetched from")
    steps = parts.path.strip("/").split("/")
    if parts.hostname == "huggingface.co" and len(steps) == 2:
        return f"https://huggingface.co/{'/'.join(steps)}/resolve/main"
    return source.rstrip("/")


def fetch(url: str, path: Path, *, most_bytes: int) -> None:
    """Write what lies at an address to a file.

    Raises:
        UserError: it cannot be had, leads to an address that is not https, or is longer than `most_bytes`.
    """
    opener = build_opener(_SecureRedirects())
    try:
        with opener.open(url, timeout=_TIMEOUT_S) as answer, open(path, "wb") as handle:
            left = most_bytes
            while chunk := answer.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    raise UserError(f"{url}: is longer than {most_bytes} bytes, and not fetched")
                handle.write(chunk)
    except HTTPError as error:
        raise UserError(f"{url}: the server says {error.code} {error.reason}") from None
    # A ValueError: an address that cannot be read, here or where the server leads.
    except (URLError, http.client.HTTPException, TimeoutError, ConnectionError, ValueError) as error:
        raise UserError(f"{url}: cannot be fetched ({' '.join(str(error).split())})") from None


class _SecureRedirects(HTTPRedirectHandler):
    """Follow a server to other addresses of https alone."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        if not is_secure(newurl, from_loopback=req.host.rpartition(":")[0].strip("[]") in LOOPBACK):
            raise UserError(f"{req.full_url}: leads to {newurl}, which is not https, and is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
