"""Files that stay on a server and of which only what is read is fetched, over https or from an open bucket of S3."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urljoin, urlsplit

import requests
from fsspec.spec import AbstractBufferedFile

from neds.download.retries import NETWORK_ERRORS, WrongBytes, cause_of, retried
from neds.download.sizes import readable_size
from neds.download.stalls import STALLED_AFTER_S
from neds.errors import UserError
from neds.files.addresses import url_of, where_buckets_lie

_log = logging.getLogger(__name__)
BLOCK_BYTES = 2**20
"""Least that is fetched at once: HDF5 reads the description of a file in pieces of some hundred bytes."""
_MOST_BYTES = 16 * 2**20
"""Most that is fetched by one request, and so most that is fetched again when a connection breaks."""
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_MAY_PASS = (429, 500, 502, 503, 504)


class NotThere(UserError):
    """The server has no such file or folder."""


@dataclass(frozen=True)
class Version:
    """What tells a file from what it may be replaced by.

    Attributes:
        size: in bytes.
        etag, modified: the server's mark of this content, and when it was put there; empty where it does not say.
    """

    size: int
    etag: str
    modified: str


class RangedFile(AbstractBufferedFile):
    """A file on a server, read like any other; each of its blocks is fetched once, into a temporary file.

    Once it has failed, it fails for good, and `failure` says why: a reader may take what cannot be read for a damaged file.
    """

    def __init__(self, address: str, *, etag: str = "") -> None:
        """
        Args:
            address: https://... or s3://bucket/key.
            etag: that the file must have; empty for any.

        Raises:
            UserError: it cannot be had, is another than `etag` says, or the server gives whole files only.
        """
        self.address = address
        self.failure: UserError | None = None
        self.n_fetched = 0
        self._url = url_of(address)
        self._session = SecureSession()
        self._version: Version | None = None
        self._fetch_range(0, 1)
        if etag and self.version.etag != etag:
            raise UserError(
                f"{address}: is another file than the sessions sheet says (etag {etag}, on its server "
                f"{self.version.etag or 'none'}); list it again, or correct the column etag"
            )
        super().__init__(None, address, "rb", BLOCK_BYTES, cache_type="mmap", size=self.version.size)

    def __str__(self) -> str:
        return self.address

    @property
    def version(self) -> Version:
        assert self._version is not None, "the first answer told it"
        return self._version

    def _fetch_range(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`, which is not included; fsspec asks for them.

        Raises:
            UserError: they cannot be had.
        """
        if self.failure:
            raise self.failure
        try:
            parts = (range(first, min(first + _MOST_BYTES, end)) for first in range(start, end, _MOST_BYTES))
            return b"".join(map(self._part, parts))
        except UserError as failure:
            self.failure = failure
            raise

    def _part(self, wanted: range) -> bytes:
        try:
            content = retried(partial(self._answer, wanted), what=self.address)
        except (*NETWORK_ERRORS, WrongBytes) as error:
            raise UserError(
                f"{self.address}: cannot be read, at every attempt ({cause_of(error)}); run again later"
                f"{where_buckets_lie(self.address)}"
            ) from None
        self.n_fetched += len(content)
        return content

    def _answer(self, wanted: range) -> bytes:
        # Of a packed answer, lengths would say nothing.
        headers = {"Range": f"bytes={wanted[0]}-{wanted[-1]}", "Accept-Encoding": "identity"}
        with asked(self._session, self._url, self.address, headers=headers) as answer:
            if answer.status_code == 200:
                raise UserError(f"{self.address}: its server gives whole files only; download it and name the copy")
            given = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if answer.status_code == 416 or given is None:
                raise UserError(f"{self.address}: its server has no bytes {wanted[0]} to {wanted[-1]} of it")
            self._require_version(Version(int(given[3]), _etag(answer), answer.headers.get("Last-Modified", "")))
            content = answer.content
        if int(given[1]) != wanted[0] or len(content) != len(wanted):
            raise WrongBytes(f"{len(content)} bytes arrived where {len(wanted)} were asked for")
        return content

    def _require_version(self, found: Version) -> None:
        if self._version is None:
            self._version = found
        if found != self._version:
            raise UserError(f"{self.address}: was replaced on its server while it was read; run again")


@contextmanager
def read_by_ranges(address: str, *, etag: str = "") -> Iterator[RangedFile]:
    """A file on a server, for as long as the block runs.

    Raises:
        UserError: it cannot be had, or could not be read to the end, whatever the block made of that.
    """
    file = RangedFile(address, etag=etag)
    try:
        yield file
    except Exception:
        if file.failure:
            raise file.failure from None
        raise
    finally:
        file.close()
    if file.failure:
        raise file.failure
    _log.info("%s: %s of %s fetched", address, readable_size(file.n_fetched), readable_size(file.version.size))


def size_of(address: str, *, etag: str = "") -> int:
    """Bytes of a file on a server, by fetching one of them.

    Raises:
        UserError: as for `RangedFile`.
    """
    with read_by_ranges(address, etag=etag) as file:
        return file.version.size


class SecureSession(requests.Session):
    """Follows a server to other addresses of https alone.

    Raises:
        UserError: it leads elsewhere.
    """

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        led_to = urlsplit(urljoin(resp.url, target or ""))
        if led_to.scheme != "https" and led_to[:2] != urlsplit(resp.url)[:2]:
            raise UserError(f"{resp.url}: leads to {target}, which is not https, and is not followed")
        return target


@contextmanager
def asked(
    session: requests.Session,
    url: str,
    address: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> Iterator[requests.Response]:
    """The answer of a server, of which no content has come yet, for as long as the block runs.

    Args:
        url: which is asked.
        address: what the user calls it.
        headers, params: of the request.

    Raises:
        UserError: the server refuses; NotThere where it has no such file.
        one of NETWORK_ERRORS: the network fails, or the server is busy.
    """
    with session.get(url, headers=headers, params=params, stream=True, timeout=STALLED_AFTER_S) as answer:
        status = answer.status_code
        if status in _MAY_PASS:
            raise ConnectionError(f"the server says {status} {answer.reason}")
        if status in (401, 403):
            raise UserError(
                f"{address}: the server refuses it ({status}): it is not open to everybody, or not there; correct the "
                f"address, or download it with your account and name the copy{where_buckets_lie(address)}"
            )
        if status in (404, 410):
            raise NotThere(
                f"{address}: its server has no such file or folder ({status}); correct the address"
                f"{where_buckets_lie(address)}"
            )
        if status not in (200, 206, 416):
            raise UserError(f"{address}: the server says {status} {answer.reason}")
        yield answer


def _etag(answer: requests.Response) -> str:
    return plain_etag(answer.headers.get("ETag", ""))


def plain_etag(text: str) -> str:
    """An ETag without its quotes, and without what says that it is a weak one."""
    return text.strip().removeprefix("W/").strip('"')
