"""Files of a submission: safetensors with a header of texts, in a zip whose bytes depend on nothing but them."""

import json
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from neds.benchmark.protocol import FORMAT_VERSION
from neds.errors import UserError
from neds.files.atomic import replacing

_EARLIEST = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Entry:
    """One file: its path in the zip, tensors by name, and its header."""

    path: str
    tensors: Mapping[str, np.ndarray]
    header: Mapping[str, str]


def prediction(
    *, label: str, task: str, seed: int, tensors: Mapping[str, np.ndarray], header: Mapping[str, str]
) -> Entry:
    """A file of predictions, at the path that its header tells; of a recording where the header names one."""
    folder = "/".join(part for part in (label, task, header.get("recording_id", "")) if part)
    known = {"label": label, "task": task, "seed": str(seed), "ibl_bwb_eval_version": FORMAT_VERSION}
    return Entry(f"{folder}/seed_{seed}.safetensors", tensors, known | dict(header))


def truth(*, task: str, eid: str = "", tensors: Mapping[str, np.ndarray], header: Mapping[str, str]) -> Entry:
    """A file of true values, where the scorer looks for it."""
    folder = "/".join(part for part in (task, eid) if part)
    return Entry(f"{folder}/ground_truth.safetensors", tensors, header)


def encoded(ids: Sequence[str]) -> np.ndarray:
    """Identifiers as a tensor (n, longest) of bytes, a row for each, as the scorer reads them."""
    texts = np.array([text.encode("ascii") for text in ids])
    return texts.view(np.uint8).reshape(len(texts), -1)


def decoded(ids: np.ndarray) -> list[str]:
    """The identifiers in such a tensor (n, longest)."""
    return [row.tobytes().rstrip(b"\0").decode("ascii") for row in ids]


def write_archive(path: Path, entries: Iterator[Entry]) -> None:
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in entries:
            content = save({name: np.ascontiguousarray(v) for name, v in entry.tensors.items()}, dict(entry.header))
            archive.writestr(zipfile.ZipInfo(entry.path, _EARLIEST), content, zipfile.ZIP_DEFLATED)


def read_archive(path: Path) -> Iterator[Entry]:
    """All files of a zip.

    Raises:
        UserError: it is damaged, or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                content = archive.read(name)
                yield Entry(name, load(content), _header(content))
    except (OSError, zipfile.BadZipFile, SafetensorError, ValueError, struct.error) as error:
        raise UserError(f"{path}: damaged, or no zip of safetensors ({' '.join(str(error).split())})") from None


def _header(content: bytes) -> dict[str, str]:
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]).get("__metadata__", {})
