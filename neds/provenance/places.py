"""Where a file of each format holds a text of its own that its readers pass over: one place for each suffix.

Reading touches little of a file and trusts nothing in it: sizes are bounded, nothing is executed or unpickled.
"""

import json
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

NAME = "neds_made"
LARGEST = 16 * 2**20
"""Bytes of the longest text, or header with a text in it, that is read."""
DAMAGE = (OSError, KeyError, ValueError, RuntimeError, struct.error)
"""What reading a file that is damaged or none of its kind may raise."""
_CHUNK = 2**20
_LINE = 2000
"""Longest line: TeX reads none beyond its buffer."""
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = 8 + 25
"""Bytes of the signature and the first chunk, IHDR."""


@dataclass(frozen=True)
class Place:
    """How a text, JSON in one line of ASCII, is put into a file in the place of one that it holds, and read from it.

    `write` raises ValueError for a file that is none of its kind; `read` gives None for a file without a text, and raises
    one of `DAMAGE` for one that cannot be read.
    """

    write: Callable[[Path, str], None]
    read: Callable[[Path], str | bytes | None]


def _write_hdf5(path: Path, text: str) -> None:
    import h5py
    import numpy as np

    with h5py.File(path, "r+") as handle:
        if NAME in handle:
            del handle[NAME]
        # No attribute, which may not be longer than 64 kB.
        handle.create_dataset(NAME, data=np.frombuffer(text.encode("ascii"), np.uint8))


def _read_hdf5(path: Path) -> bytes | None:
    import h5py

    with h5py.File(path, "r") as handle:
        if not isinstance(handle.get(NAME, getlink=True), h5py.HardLink):
            return None
        dataset = handle[NAME]
        if not isinstance(dataset, h5py.Dataset) or dataset.dtype != "uint8" or dataset.ndim != 1:
            return None
        # One that is compressed, or lies in other files, may hold more than there is.
        plain = dataset.chunks is None and dataset.external is None and not dataset.is_virtual
        return dataset[:].tobytes() if plain and len(dataset) <= LARGEST else None


def _safetensors_header(handle: BinaryIO) -> tuple[int, dict]:
    """Length of the header, and the header, after which `handle` stands."""
    (length,) = struct.unpack("<Q", handle.read(8))
    if length > LARGEST:
        raise ValueError("the header is too long")
    header = json.loads(handle.read(length))
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
        raise ValueError("no header of a safetensors file")
    return length, header


def _write_safetensors(path: Path, text: str) -> None:
    """Rewrite the header and move what follows, which is not read as tensors: their positions count from its end."""
    with open(path, "rb+") as handle:
        length, header = _safetensors_header(handle)
        header["__metadata__"] = header.get("__metadata__", {}) | {NAME: text}
        content = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        content = content.ljust(max(length, -(-len(content) // 8) * 8))
        _shift(handle, 8 + length, len(content) - length)
        handle.seek(0)
        handle.write(struct.pack("<Q", len(content)) + content)


def _shift(handle: BinaryIO, start: int, by: int) -> None:
    """Move all bytes from `start` on by `by` towards the end, the last first."""
    at = handle.seek(0, os.SEEK_END)
    while by and at > start:
        size = min(_CHUNK, at - start)
        at -= size
        handle.seek(at)
        chunk = handle.read(size)
        handle.seek(at + by)
        handle.write(chunk)


def _read_safetensors(path: Path) -> str | None:
    with open(path, "rb") as handle:
        return _safetensors_header(handle)[1].get("__metadata__", {}).get(NAME)


def _write_parquet(path: Path, text: str) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata((table.schema.metadata or {}) | {NAME.encode(): text}), path)


def _read_parquet(path: Path) -> bytes | None:
    import pyarrow.parquet as pq

    with open(path, "rb") as handle:
        size = handle.seek(-8, os.SEEK_END) + 8
        (length,) = struct.unpack("<I4x", handle.read(8))
    if length > min(size, 3 * LARGEST):
        return None
    return (pq.read_metadata(path).metadata or {}).get(NAME.encode())


def _png_text(content: bytes) -> tuple[str | None, int]:
    """The text in the chunk after the first one, and where the chunk after it begins."""
    if not content.startswith(_PNG) or len(content) < _PNG_HEADER + 8:
        raise ValueError("no PNG file")
    (length,) = struct.unpack(">I", content[_PNG_HEADER : _PNG_HEADER + 4])
    begin = _PNG_HEADER + 8
    keyword = NAME.encode() + b"\0"
    if content[_PNG_HEADER + 4 : begin + len(keyword)] != b"tEXt" + keyword or length > LARGEST:
        return None, _PNG_HEADER
    return content[begin + len(keyword) : begin + length].decode("ascii"), begin + length + 4


def _write_png(path: Path, text: str) -> None:
    content = path.read_bytes()
    end = _png_text(content)[1]
    chunk = b"tEXt" + NAME.encode() + b"\0" + text.encode("ascii")
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(content[:_PNG_HEADER] + chunk + content[end:])


def _read_png(path: Path) -> str | None:
    with open(path, "rb") as handle:
        content = handle.read(_PNG_HEADER + 8)
        (length,) = struct.unpack(">I", content[_PNG_HEADER : _PNG_HEADER + 4])
        return _png_text(content + handle.read(min(length, LARGEST)))[0]


@dataclass(frozen=True)
class _Comment:
    """Lines of comment that hold a text, each of them `opening`, a part of the text, `closing`."""

    opening: str
    closing: str = ""

    @property
    def mark(self) -> bytes:
        return f"{self.opening}{NAME} ".encode()

    def lines(self, text: str) -> bytes:
        parts = [text[start : start + _LINE].encode("ascii") for start in range(0, len(text), _LINE)]
        return b"".join(self.mark + part + self.closing.encode() + b"\n" for part in parts)

    def text(self, lines: bytes) -> str | None:
        ends = (len(self.mark), -len(self.closing) or None)
        return "".join(line[slice(*ends)].decode("ascii") for line in lines.splitlines()) or None

    def begin(self, content: bytes, end: int) -> int:
        """Where the comment begins that ends at `end`; there, when there is none."""
        while end and content.startswith(b"\n", end - 1):
            before = content.rfind(b"\n", 0, end - 1) + 1
            if not content.startswith(self.mark, before, end):
                break
            end = before
        return end


def _at_start(comment: _Comment) -> Place:
    """Before all other lines."""

    def own(handle: BinaryIO) -> bytes:
        longest = len(comment.mark) + _LINE + 1
        lines: list[bytes] = []
        while (line := handle.readline(longest)).startswith(comment.mark) and len(lines) < LARGEST // longest:
            lines.append(line)
        return b"".join(lines)

    def write(path: Path, text: str) -> None:
        with open(path, "rb") as handle:
            handle.seek(len(own(handle)))
            content = handle.read()
        path.write_bytes(comment.lines(text) + content)

    def read(path: Path) -> str | None:
        with open(path, "rb") as handle:
            return comment.text(own(handle))

    return Place(write, read)


def _before(end: bytes, comment: _Comment) -> Place:
    """Before the last line that begins with `end`; after all lines where that is empty."""

    def position(content: bytes) -> int:
        at = content.rfind(b"\n" + end) + 1 if end else len(content)
        if end and not at:
            raise ValueError(f"no line begins with {end.decode()}")
        return at

    def write(path: Path, text: str) -> None:
        # Two hyphens end a comment of HTML. In JSON they can only stand in a text.
        lines = comment.lines(text.replace("--", "\\u002d\\u002d"))
        content = path.read_bytes()
        at = position(content)
        before = content[: comment.begin(content, at)]
        if before and not before.endswith(b"\n"):
            before += b"\n"
        path.write_bytes(before + lines + content[at:])

    def read(path: Path) -> str | None:
        """From the end backwards, until a line is found that is none of the comment."""
        with open(path, "rb") as handle:
            size, length = handle.seek(0, os.SEEK_END), 2**14
            while True:
                handle.seek(max(0, size - length))
                content = handle.read(length)
                at = position(content)
                begin = comment.begin(content, at)
                first = content.find(b"\n") + 1
                if begin > first or length >= size:
                    return comment.text(content[begin:at])
                length *= 2
                if length > LARGEST:
                    return None

    return Place(write, read)


_HTML = _before(b"", _Comment("<!-- ", " -->"))
PLACES = {
    ".h5": Place(_write_hdf5, _read_hdf5),
    ".safetensors": Place(_write_safetensors, _read_safetensors),
    ".parquet": Place(_write_parquet, _read_parquet),
    ".png": Place(_write_png, _read_png),
    # A comment between the trailer and the line that readers look for from the end.
    ".pdf": _before(b"startxref", _Comment("%")),
    ".html": _HTML,
    ".md": _HTML,
    ".tex": _before(b"", _Comment("% ")),
    # A search's best.yaml is whole only when it ends as it should.
    ".yaml": _at_start(_Comment("# ")),
    ".yml": _at_start(_Comment("# ")),
}
"""By suffix."""
