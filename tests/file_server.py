"""A web server on the loopback interface that gives ranges of files, lists folders, and lists buckets as S3 does."""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit


class FileServer(ThreadingHTTPServer):
    """Serves what is below `root`, the folders directly below it as buckets too.

    Attributes:
        parts: path, first and last byte of every range that was asked for.
        faults: by path, what happens to the next answers: a status, "truncate", "drop", "fine", or an address to lead to.
        gives_parts: whether ranges are given, or whole files.
        before: called with the number of ranges that were asked for, before each is answered.
        page: most files in one page of a bucket's list.
    """

    daemon_threads = True

    def __init__(self, root: Path):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.parts: list[tuple[str, int, int]] = []
        self.faults: dict[str, list[int | str]] = {}
        self.gives_parts = True
        self.before: Callable[[int], None] = lambda number: None
        self.page = 1000

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def n_bytes(self) -> int:
        """Asked for so far."""
        return sum(last + 1 - first for _, first, last in self.parts)

    def handle_error(self, request, client_address):
        """A client that hangs up is none."""


class _Handler(BaseHTTPRequestHandler):
    server: FileServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Nothing: tests look at what was asked for."""

    def do_GET(self):
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        place = self.server.root / unquote(address.path).lstrip("/")
        faults = self.server.faults.get(unquote(address.path), [])
        fault = faults.pop(0) if faults else "fine"
        if isinstance(fault, int):
            self._answer(fault, b"on purpose")
        elif fault == "drop":
            self.close_connection = True
        elif "://" in fault:
            self._answer(302, b"", Location=fault)
        elif "list-type" in query:
            self._answer(200, self._bucket(place, query), **{"Content-Type": "application/xml"})
        elif place.is_dir():
            links = "".join(f'<a href="{quote(own.name)}">{own.name}</a>\n' for own in sorted(place.iterdir()))
            self._answer(200, f'<a href="../">..</a>\n{links}'.encode())
        elif place.is_file():
            self._file(place, fault)
        else:
            self._answer(404, b"no such file")

    def _file(self, place: Path, fault: str):
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted and self.server.gives_parts:
            first, last = map(int, wanted.groups())
            self.server.before(len(self.server.parts))
            self.server.parts.append((place.name, first, last))
        content = place.read_bytes()
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        if not (wanted and self.server.gives_parts):
            self._answer(200, content, ETag=etag)
            return
        size, content = len(content), content[first : last + 1]
        given = {"ETag": etag, "Content-Range": f"bytes {first}-{first + len(content) - 1}/{size}"}
        self._answer(206, content, truncated=fault == "truncate", **given)

    def _bucket(self, bucket: Path, query: dict[str, str]) -> bytes:
        prefix = query.get("prefix", "")
        folder = bucket / prefix
        names = sorted(own.name for own in folder.iterdir() if own.is_file()) if folder.is_dir() else []
        start = int(query.get("continuation-token", 0))
        end = start + self.server.page
        entries = "".join(
            f"<Contents><Key>{prefix}{name}</Key>"
            f"<ETag>&quot;{hashlib.md5((folder / name).read_bytes()).hexdigest()}&quot;</ETag></Contents>"
            for name in names[start:end]
        )
        if end >= len(names) and folder.is_dir():
            own = sorted(inner.name for inner in folder.iterdir() if inner.is_dir())
            prefixes = (f"<Prefix>{prefix}{name}/</Prefix>" for name in own)
            entries += "".join(f"<CommonPrefixes>{inner}</CommonPrefixes>" for inner in prefixes)
        following = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < len(names) else ""
        namespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
        return f"<ListBucketResult {namespace}>{entries}{following}</ListBucketResult>".encode()

    def _answer(self, status: int, body: bytes, *, truncated: bool = False, **headers: str):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if truncated else body)
        self.close_connection = self.close_connection or truncated


@contextmanager
def serving(root: Path) -> Iterator[FileServer]:
    with FileServer(root) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
