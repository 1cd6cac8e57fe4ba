"""An Alyx database and its file server on the loopback interface: as much as ONE needs to load a session."""

import hashlib
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import one.params

_IDS = uuid.UUID("11111111-2222-4333-8444-555555555555")
_FILTERS = {
    "sessions": ("django", "tag", "lab", "subject", "date_range", "limit", "offset"),
    "insertions": ("django", "limit", "offset"),
    "trajectories": ("session", "provenance", "limit", "offset"),
    "channels": ("trajectory_estimate", "limit", "offset"),
}
_SCHEMA = {
    "paths": {
        f"/{endpoint}": {"get": {"parameters": [{"name": name, "in": "query"} for name in names]}}
        for endpoint, names in _FILTERS.items()
    }
    | {"/sessions/{id}": {"get": {"parameters": [{"name": "id", "in": "path"}]}}}
}


class LoopbackAlyx(ThreadingHTTPServer):
    """Serves the sessions of an ALF folder to one account.

    Attributes:
        url: base address.
        username, password, token: the account.
        failing: path prefix -> status with which requests of such paths are answered.
        faults: path prefix -> what befalls the next requests of such paths, one after another: a status, "drop" (no answer),
            "truncate" (half the body), "corrupt" (one wrong byte), "stall" (nothing comes any more) or "fine".
        page: most records of one answer to a request for a list.
        tags: name of a data release -> ids of its sessions.
        regions: session id -> Allen ids of the regions of its channels.
        asked: paths of all requests.
        served: relative paths of the data files that were handed out.
        gives_parts: whether parts of files are handed out; if not, whoever asks for one gets the whole.
        parts: relative path and first and last byte of the parts that were handed out.
    """

    daemon_threads = True

    def __init__(self, root: Path):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = Path(root)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.username, self.password, self.token = "tester", "correct", "0123abcd"
        self.failing: dict[str, int] = {}
        self.faults: dict[str, list[int | str]] = {}
        self.page = 250
        self.tags: dict[str, set[str]] = {}
        self.regions: dict[str, list[int]] = {}
        self.closing = threading.Event()
        self.asked: list[str] = []
        self.served: list[str] = []
        self.gives_parts = True
        self.parts: list[tuple[str, int, int]] = []
        self.sessions: dict[str, dict] = {}
        self.register()

    def register(self) -> None:
        """Take the records of all sessions from the ALF folder, as it is now."""
        found = [self._session(folder) for folder in sorted(self.root.glob("*/Subjects/*/*/*"))]
        self.sessions = {record["id"]: record for record in found}

    def eid(self, session_path: str) -> str:
        return str(uuid.uuid3(_IDS, session_path))

    def listed(self, endpoint: str, asked: dict[str, str]) -> list[dict]:
        """The records of an endpoint that fulfil some filters, as far as `_FILTERS` names them."""
        if endpoint == "sessions":
            return [session for session in self.sessions.values() if self._fulfils(session, asked)]
        if endpoint == "insertions":
            eids = asked["django"].removeprefix("session__in,")
            return [
                {"id": _dataset_id(f"{eid}/{name}"), "session": eid, "name": name}
                for eid, session in self.sessions.items()
                if eid in eids
                for name in sorted({"probe00", "probe01"} & set(_folders(session)))
            ]
        if endpoint == "trajectories":
            return [{"id": eid} for eid in self.regions if eid == asked["session"]]
        return [{"brain_region": region} for region in self.regions[asked["trajectory_estimate"]]]

    def _fulfils(self, session: dict, asked: dict[str, str]) -> bool:
        first, last = asked.get("date_range", "0,9").split(",")
        return (
            asked.get("django", f"pk,{session['id']}") == f"pk,{session['id']}"
            and ("tag" not in asked or session["id"] in self.tags.get(asked["tag"], ()))
            and asked.get("lab", session["lab"]) == session["lab"]
            and asked.get("subject", session["subject"]) in session["subject"]
            and first <= session["start_time"][:10] <= last
        )

    def record(self, path: str) -> dict:
        """The database's record of a data file, given its path relative to the ALF folder; it may be changed."""
        records = [record for session in self.sessions.values() for record in session["data_dataset_session_related"]]
        return next(record for record in records if record["id"] == _dataset_id(path))

    def _session(self, folder: Path) -> dict:
        path = folder.relative_to(self.root)
        lab, _, subject, date, number = path.parts
        return {
            "id": self.eid(path.as_posix()),
            "lab": lab,
            "subject": subject,
            "start_time": f"{date}T10:00:00",
            "number": int(number),
            "task_protocol": "ephysChoiceWorld",
            "projects": [],
            "data_dataset_session_related": [
                self._dataset(file) for file in sorted(folder.rglob("*.*")) if file.is_file()
            ],
        }

    def data_url(self, path: str) -> str:
        """Address of a data file, given its path relative to the ALF folder; the file's name there carries its id."""
        stem, suffix = path.rsplit(".", 1)
        return f"{self.url}/data/{stem}.{_dataset_id(path)}.{suffix}"

    def _dataset(self, file: Path) -> dict:
        path = file.relative_to(self.root).as_posix()
        return {
            "id": _dataset_id(path),
            "data_url": self.data_url(path),
            "file_size": file.stat().st_size,
            "hash": hashlib.md5(file.read_bytes()).hexdigest(),
            "default_revision": str("#" not in path),
            "qc": "NOT_SET",
        }


def _folders(session: dict) -> list[str]:
    return [part for record in session["data_dataset_session_related"] for part in Path(record["data_url"]).parts]


def _dataset_id(path: str) -> str:
    return str(uuid.uuid3(_IDS, path))


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackAlyx
    fault: int | str = "fine"

    def log_message(self, *_):
        pass

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if self._is_failing():
            return
        account = (form.get("username", [""])[0], form.get("password", [""])[0])
        if self.path == "/auth-token" and account == (self.server.username, self.server.password):
            self._answer({"token": self.server.token})
        else:
            self._answer({"non_field_errors": ["Unable to log in with provided credentials."]}, status=400)

    def do_GET(self):
        if self._is_failing():
            return
        address = urlsplit(self.path)
        parts = unquote(address.path).strip("/").split("/")
        if parts[0] == "data":
            self._send_file(Path(*parts[1:]))
        elif parts == ["api", "schema"]:
            self._answer(_SCHEMA)
        elif self.headers.get("Authorization") != f"Token {self.server.token}":
            self._answer({"detail": "Invalid token."}, status=403)
        elif parts == ["me"]:
            self._answer({"username": self.server.username})
        elif len(parts) == 1 and parts[0] in _FILTERS:
            self._answer_page(parts[0], {name: values[0] for name, values in parse_qs(address.query).items()})
        elif parts[0] == "sessions" and parts[1] in self.server.sessions:
            self._answer(self.server.sessions[parts[1]])
        else:
            self._answer({"detail": "Not found."}, status=404)

    def _answer_page(self, endpoint: str, asked: dict[str, str]):
        found = self.server.listed(endpoint, asked)
        start = int(asked.get("offset", 0))
        end = start + int(asked.get("limit", self.server.page))
        following = f"{self.server.url}/{endpoint}?{urlencode(asked | {'offset': end})}" if end < len(found) else None
        self._answer({"count": len(found), "next": following, "previous": None, "results": found[start:end]})

    def _is_failing(self) -> bool:
        self.server.asked.append(self.path)
        for prefix, status in self.server.failing.items():
            if self.path.startswith(prefix):
                self._answer({"detail": "on purpose"}, status=status)
                return True
        self.fault = "fine"
        for prefix, faults in self.server.faults.items():
            if faults and self.path.startswith(prefix):
                self.fault = faults.pop(0)
                break
        if isinstance(self.fault, int):
            self._answer({"detail": "on purpose"}, status=self.fault)
        elif self.fault == "stall":
            self.server.closing.wait()
        return isinstance(self.fault, int) or self.fault in ("drop", "stall")

    def _send_file(self, path: Path):
        # Served names carry the dataset's id before the suffix: spikes.times.<id>.npy
        stem, _, suffix = path.name.rsplit(".", 2)
        path = path.with_name(f"{stem}.{suffix}")
        if not (self.server.root / path).is_file():
            self._answer({"detail": "no such file"}, status=404)
            return
        content, status = (self.server.root / path).read_bytes(), 200
        if "Range" in self.headers and self.server.gives_parts:
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            content, status = content[first : last + 1], 206
            self.server.parts.append((path.as_posix(), first, last))
        else:
            self.server.served.append(path.as_posix())
        self._send(content, status=status, content_type="application/octet-stream")

    def _answer(self, value: object, *, status: int = 200):
        self._send(json.dumps(value).encode(), status=status, content_type="application/json")

    def _send(self, body: bytes, *, content_type: str, status: int = 200):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.fault == "corrupt":
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.wfile.write(body[: len(body) // 2] if self.fault == "truncate" else body)


@contextmanager
def serving(root: Path) -> Iterator[LoopbackAlyx]:
    """Serve the ALF folder `root` and tell ONE, in the parameters of the current HOME, where the files are."""
    with LoopbackAlyx(root) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        one.params.setup(client=server.url, silent=True, cache_dir=Path.home() / "unused")
        parameters = one.params.get(server.url, silent=True).set("HTTP_DATA_SERVER", f"{server.url}/data")
        one.params.save(parameters, server.url)
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
