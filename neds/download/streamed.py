"""Recordings that stay on the database's server: of a compressed one, the chunks that are read are downloaded, no others."""

import zlib
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import spikeglx

from neds.download.remote_file import RemoteFile
from neds.download.retries import WrongBytes, retried_or_refused
from neds.download.sizes import readable_size
from neds.errors import UserError

# The reader decides by "cbin" in the suffix that a recording is compressed, and finds .ch and .meta by what comes before it.
KEPT_SUFFIX = ".cbin_parts"
_ADVICE = "take lfp off the modalities, or the session off the sessions sheet"


class StreamedReader(spikeglx.Reader):
    """Reads a compressed recording (`.cbin`) of which `.ch` and `.meta` are on this disk.

    A chunk (one second) is downloaded when it is first read, and kept at its place in a sparse file. Whole or not, a chunk
    tells itself: its checksum (Adler-32, of zlib) is verified when it has arrived and again by every later process, so that
    a download which was cut off goes on where it stopped.
    """

    def __init__(self, remote: RemoteFile) -> None:
        """
        Raises:
            UserError: `.ch` is that of another recording.
        """
        self._remote = remote
        self._here: set[int] = set()
        self._n_downloaded = 0
        kept = remote.folder / Path(remote.name).with_suffix(KEPT_SUFFIX).name
        kept.touch()
        super().__init__(kept)
        if self._raw.chunk_offsets[-1] != remote.size:
            raise UserError(
                f"{remote.name}: its .ch file is of a recording of {self._raw.chunk_offsets[-1]} bytes, but the database's "
                f"record says {remote.size}; {_ADVICE}"
            )

    def read(self, nsel: slice = slice(0, 10000), csel: slice = slice(None), sync: bool = True) -> Any:
        for chunks in self._missing(nsel.start, nsel.stop):
            self._download(chunks)
        return super().read(nsel, csel, sync)

    def account(self) -> str:
        """How much was downloaded, in words."""
        return f"{readable_size(self._n_downloaded)} downloaded of a recording of {readable_size(self._remote.size)}"

    def _missing(self, first: int, end: int) -> Iterator[range]:
        """Runs of chunks that reading the samples from `first` to `end` touches and that are not here."""
        bounds = self._raw.chunk_bounds
        begin, last = np.searchsorted(bounds, [first, min(end, bounds[-1] - 1)], side="right") - 1
        missing = [chunk for chunk in range(begin, last + 1) if not self._is_here(chunk)]
        breaks = np.flatnonzero(np.diff(missing) > 1) + 1
        for run in np.split(np.array(missing, dtype=int), breaks):
            if len(run):
                yield range(run[0], run[-1] + 1)

    def _is_here(self, chunk: int) -> bool:
        if chunk not in self._here:
            offset, end = self._raw.chunk_offsets[chunk : chunk + 2]
            with open(self.file_bin, "rb") as kept:
                kept.seek(offset)
                if not _is_whole(kept.read(end - offset)):
                    return False
            self._here.add(chunk)
        return True

    def _download(self, chunks: range) -> None:
        offsets = self._raw.chunk_offsets[chunks.start : chunks.stop + 1]
        content = retried_or_refused(partial(self._arrived, offsets), what=self._remote.name, advice=_ADVICE)
        try:
            with open(self.file_bin, "r+b") as kept:
                kept.seek(offsets[0])
                kept.write(content)
        except OSError as error:
            raise UserError(
                f"{self.file_bin}: cannot be written ({error.strerror}); make room, or name a folder on a larger disk under "
                "download.cache_dir, and run again to resume"
            ) from None
        self._here.update(chunks)
        self._n_downloaded += len(content)

    def _arrived(self, offsets: list[int]) -> bytes:
        """The bytes of consecutive chunks, given the offset of each and the end of the last."""
        content = self._remote.fetch(offsets[0], offsets[-1])
        if len(content) != offsets[-1] - offsets[0]:
            raise WrongBytes(f"{len(content)} bytes arrived where {offsets[-1] - offsets[0]} were asked for")
        starts = np.array(offsets) - offsets[0]
        if not all(_is_whole(content[start:end]) for start, end in pairwise(starts)):
            raise WrongBytes("a chunk of it arrived that its own checksum does not fit")
        return content


def _is_whole(compressed: bytes) -> bool:
    try:
        zlib.decompress(compressed)
    except zlib.error:
        return False
    return True
