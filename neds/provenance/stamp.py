"""The stamp inside every output: the command, values, code and inputs that made it, and the software that ran.

It holds no time and no machine: the same run gives the same bytes. Where it lies in a file, `neds.provenance.places` knows.
"""

import hashlib
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from neds.provenance import places
from neds.provenance.identity import identity

_PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "torch",
    "h5py",
    "pyarrow",
    "ONE-api",
    "ibllib",
    "iblatlas",
    "pynwb",
    "ray",
    "umap-learn",
    "matplotlib",
)


@dataclass(frozen=True)
class InputRecord:
    """One file that a result was made from.

    Attributes:
        identity: of its stamp; empty for a file that carries none.
        content: SHA-256 of the file, before it was stamped where it was.
    """

    identity: str
    content: str

    @property
    def key(self) -> str:
        """What the identity of the result takes of it."""
        return self.identity or self.content


@dataclass(frozen=True)
class SourceRecord:
    """One file from outside the workflow.

    Attributes:
        size: in bytes.
        mtime_ns: time of its last change, in ns since 1970.
        sha256: of its bytes.
    """

    name: str
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Stamp:
    """What made a file.

    Attributes:
        command: as `neds` calls it.
        values: all values that the result depends on, JSON-able.
        code: digest of the code that the command reaches.
        inputs: by the name of the command's parameter, in their order.
        sources: files from outside the workflow, among the inputs or within them.
        versions: of Python and the packages that compute, by name.
        threads: that torch computed with, by which sums differ in their last digits; 0 without torch.
        content: SHA-256 of the file before it was stamped.
        output: which of the command's outputs it is, where there are several.
        others: SHA-256 of the command's other outputs that can hold no stamp, by name.
    """

    command: str
    values: dict[str, Any]
    code: str
    inputs: dict[str, list[InputRecord]] = field(default_factory=dict)
    sources: list[SourceRecord] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    threads: int = 0
    content: str = ""
    output: str = ""
    others: dict[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        keys = {name: [record.key for record in records] for name, records in self.inputs.items()}
        return identity(self.command, self.values, self.code, keys, self.output)


def software_in_use() -> dict[str, str]:
    """Versions of Python and of the packages that compute, as far as they are installed."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def threads_in_use() -> int:
    """How many threads torch computes with in this process; 0 where it is not loaded."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else 0


def content_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def source_record(path: Path, *, name: str) -> SourceRecord:
    """A file from outside under `name`, e.g. its path relative to the folder that holds the data."""
    found = path.stat()
    return SourceRecord(name, found.st_size, found.st_mtime_ns, content_digest(path))


def can_hold(path: Path) -> bool:
    """Whether files of this suffix can carry a stamp within them."""
    return path.suffix in places.PLACES


def write_stamp(path: Path, stamp: Stamp) -> None:
    """Put a stamp into a finished file, in the place of one that it holds.

    The file is changed where it stands, so it should be one that has its final name still to come.

    Raises:
        ValueError: files of this suffix cannot hold one (`write_metadata` lays it beside), or this is no such file.
    """
    if not can_hold(path):
        raise ValueError(f"{path}: a file {path.suffix} cannot hold a stamp")
    places.PLACES[path.suffix].write(path, _text(stamp))


def metadata_path(path: Path) -> Path:
    """The file beside `path` that holds its stamp, named as the W3C names the metadata of a CSV file."""
    return path.with_name(f"{path.name}-metadata.json")


def write_metadata(path: Path, stamp: Stamp) -> None:
    """Lay the stamp of the finished file `path` beside it."""
    from neds.files.atomic import write_text

    content = (
        f'{{"@context": "http://www.w3.org/ns/csvw", "url": {json.dumps(path.name)}, "neds_made": {_text(stamp)}}}\n'
    )
    write_text(metadata_path(path), content)


def read_stamp(path: Path) -> Stamp | None:
    """The stamp of a file, inside it or beside it; None where there is none that can be read.

    A stamp beside a file counts only while the file has the content that it was written for.
    """
    if not path.is_file():
        return None
    if can_hold(path):
        return _stamp(lambda: places.PLACES[path.suffix].read(path))
    beside = metadata_path(path)
    if not beside.is_file() or beside.stat().st_size > places.LARGEST:
        return None
    stamp = _stamp(lambda: json.dumps(json.loads(beside.read_bytes())["neds_made"]))
    return stamp if stamp and stamp.content == content_digest(path) else None


def _text(stamp: Stamp) -> str:
    """One line of ASCII."""
    return json.dumps(asdict(stamp), sort_keys=True)


def _stamp(read: Callable[[], str | bytes | None]) -> Stamp | None:
    """The stamp in the text that `read` gives. A file may come from anybody, so anything else is no stamp."""
    try:
        text = read()
        return None if text is None else _checked(json.loads(text))
    except (*places.DAMAGE, TypeError, AttributeError, RecursionError, MemoryError):
        return None


def _checked(value: dict[str, Any]) -> Stamp:
    stamp = Stamp(
        **value
        | {
            "inputs": {
                name: [InputRecord(**record) for record in records] for name, records in value["inputs"].items()
            },
            "sources": [SourceRecord(**record) for record in value["sources"]],
        }
    )
    records = [record for records in stamp.inputs.values() for record in records]
    texts = [stamp.command, stamp.code, stamp.content, stamp.output, *stamp.versions.values(), *stamp.others.values()]
    texts += [text for record in records for text in (record.identity, record.content)]
    texts += [text for source in stamp.sources for text in (source.name, source.sha256)]
    numbers = [stamp.threads, *(number for source in stamp.sources for number in (source.size, source.mtime_ns))]
    if not all(type(text) is str for text in texts) or not all(type(number) is int for number in numbers):
        raise ValueError("no stamp")
    if type(stamp.values) is not dict:
        raise ValueError("no stamp")
    return stamp
