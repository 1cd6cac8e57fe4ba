"""ONE, with every file compared with the database's record of it before it gets its name in the cache."""

import logging
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from one.alf.path import ALFPath
from one.alf.spec import QC
from one.api import OneAlyx
from one.util import filter_datasets

from neds.download.remote_file import RemoteFile
from neds.download.retries import WrongBytes, retried_or_refused
from neds.download.sizes import readable_size
from neds.errors import UserError
from neds.files.md5 import md5_of

_log = logging.getLogger(__name__)


class VerifyingOne(OneAlyx):
    """A database whose downloads are verified, retried and spaced.

    ONE itself compares size and MD5 of the files that it finds in its cache, but not of those that it has just downloaded,
    and gives these their final names whatever arrived. So this overrides the two internal methods of ONE-api 3.6 through
    which each of its loading functions goes. What the database says of a session is asked once: it cannot change between the
    plan and the loading, which may be hours later and then needs no network.
    """

    def __init__(self, *, pause_s: float, **options: Any):
        """Log in; `options` are those of OneAlyx. Two downloads begin at least `pause_s` seconds apart."""
        self._pause_s = pause_s
        self._last_start = -pause_s
        self._verified: set[tuple] = set()
        self._listed: dict[str, pd.DataFrame] = {}
        self._planned: list[pd.DataFrame] | None = None
        super().__init__(mode="remote", silent=True, **options)

    def list_datasets(
        self,
        eid: Any = None,
        *,
        details: bool = False,
        keep_eid_index: bool = False,
        query_type: Any = None,
        **filters: Any,
    ) -> Any:
        if eid not in self._listed:
            self._listed[eid] = super().list_datasets(eid, details=True, keep_eid_index=True, qc=QC.CRITICAL)
        # ONE's own tables in memory do not keep what the database calls the default revision.
        datasets = self._listed[eid] if keep_eid_index else self._listed[eid].droplevel("eid")
        exactly = {"revision_last_before": False, "assert_unique": False, "wildcards": self.wildcards}
        datasets = filter_datasets(datasets, **filters, **exactly)
        return datasets if details else sorted(datasets["rel_path"])

    def eid2path(self, eid: Any, query_type: str | None = None) -> Any:
        return super().eid2path(eid, query_type="local") or super().eid2path(eid, query_type=query_type)

    @contextmanager
    def planning(self) -> Iterator[list[pd.DataFrame]]:
        """Within the block nothing is downloaded: records that are asked for are appended to the list that is yielded.

        Their column `in_parts` tells those that `remote_file` will read from those that are needed whole.
        """
        self._planned = []
        try:
            yield self._planned
        finally:
            self._planned = None

    def missing(self, datasets: pd.DataFrame) -> pd.DataFrame:
        """Those of the records `datasets` of which the cache has no file, or one of another size."""
        paths = [self._path(index, record) for index, record in datasets.iterrows()]
        sizes = [path.stat().st_size if path.is_file() else -1 for path in paths]
        return datasets[datasets["file_size"] != sizes]

    def bring(self, datasets: pd.DataFrame) -> None:
        """Bring the files of the records `datasets` to the cache, or verify those that are there, one log line each.

        Raises:
            UserError: too little disk space, or a file that stays wrong or is missing.
            one of NETWORK_ERRORS: the network fails for longer than the retries last.
        """
        missing = self.missing(datasets)
        n_bytes = int(missing["file_size"].sum())
        _log.info(
            "%d datasets, %s; in the cache: %d; to download: %s",
            *(len(datasets), readable_size(datasets["file_size"].sum())),
            *(len(datasets) - len(missing), readable_size(n_bytes)),
        )
        free = shutil.disk_usage(self.cache_dir).free
        if n_bytes > free:
            raise UserError(
                f"{self.cache_dir}: {readable_size(n_bytes)} are to be downloaded but {readable_size(free)} free; make "
                "room, or name a folder on a larger disk under download.cache_dir"
            )
        for number, (index, record) in enumerate(datasets.iterrows(), start=1):
            start = time.monotonic()
            was_here = index not in missing.index
            self._check_filesystem(datasets.loc[[index]])
            _log.info(
                "%d of %d: %s, %s, %s",
                *(number, len(datasets), record["rel_path"], readable_size(record["file_size"])),
                "verified in the cache" if was_here else f"downloaded and verified, {time.monotonic() - start:.0f} s",
            )

    def remote_file(self, eid: str, rel_path: str) -> RemoteFile | None:
        """A dataset of a session, to be read from the server in parts; None where the cache has it whole."""
        listed = self.list_datasets(eid, details=True, keep_eid_index=True)
        dataset = listed[listed["rel_path"] == rel_path]
        if self.missing(dataset).empty:
            return None
        if self._planned is not None:
            self._planned.append(dataset.assign(in_parts=True))
        ((index, record),) = dataset.iterrows()
        path, url = self._path(index, record), self._dset2url(record, update_cache=False)
        size = int(record["file_size"])
        return RemoteFile(f"session {eid}: {rel_path}", size, partial(self._fetch, url, size), path.parent)

    def _fetch(self, url: str, size: int, first: int, end: int) -> bytes:
        """The bytes from `first` to `end`, not included, of a file of `size` bytes."""
        self._wait_for_turn()
        with tempfile.TemporaryDirectory() as folder:
            part = self.alyx.download_file(url, chunks=(first, end - first), target_dir=folder, silent=True)
            content = part.read_bytes()
        if len(content) == size > end - first:
            raise UserError(
                f"{url}: its server gives whole files only; download it whole, with ONE, to the folder of download.cache_dir"
            )
        return content

    def _check_filesystem(
        self, datasets: pd.DataFrame, offline: Any = None, update_exists: bool = True, check_hash: bool = True
    ) -> list[Path]:
        if self._planned is not None:
            self._planned.append(datasets.assign(in_parts=False))
            return [self._path(index, record) for index, record in datasets.iterrows()]
        known = self._verified.issuperset(datasets.index)
        files = super()._check_filesystem(datasets, offline, update_exists, check_hash and not known)
        if check_hash:
            self._verified.update(datasets.index)
        return files

    def _download_datasets(self, dsets: pd.DataFrame, **options: Any) -> list[ALFPath]:
        return [self._download_verified(dsets.loc[[index]]) for index in dsets.index]

    def _download_verified(self, dataset: pd.DataFrame) -> ALFPath:
        ((eid, dataset_id), record), *_ = dataset.iterrows()
        path = self._path((eid, dataset_id), record)
        # A file that is there is a wrong one.
        path.unlink(missing_ok=True)
        arriving = path.with_uuid(dataset_id)

        def attempt() -> None:
            # ONE takes a file of this name for complete.
            arriving.unlink(missing_ok=True)
            self._wait_for_turn()
            found = super(VerifyingOne, self)._download_datasets(dataset, keep_uuid=True)
            if not any(found):
                raise WrongBytes("the database names no server that has it")
            _compare(arriving, record)

        advice = f"tell those who run {self.alyx.base_url}, or take the session off the sessions sheet"
        try:
            retried_or_refused(attempt, what=f"session {eid}: {record['rel_path']}", advice=advice)
            return arriving.replace(path)
        finally:
            arriving.unlink(missing_ok=True)

    def _wait_for_turn(self) -> None:
        time.sleep(max(0.0, self._last_start + self._pause_s - time.monotonic()))
        self._last_start = time.monotonic()

    def _path(self, index: tuple, record: pd.Series) -> ALFPath:
        return ALFPath(self.eid2path(index[0]), record["rel_path"])


def _compare(file: Path, record: pd.Series) -> None:
    """Compare a file with its record, as far as that goes: of some old datasets Alyx knows no hash.

    Raises:
        WrongBytes: another size, or another MD5.
    """
    size, known_size, known_hash = file.stat().st_size, record["file_size"], record["hash"]
    if known_size and size != known_size:
        raise WrongBytes(f"{size} bytes arrived where the database's record says {known_size}")
    if not known_hash:
        _log.warning("%s: the database has no hash of it, so only its size was verified", record["rel_path"])
        return
    md5 = md5_of(file)
    if md5 != known_hash:
        raise WrongBytes(f"its MD5 is {md5} where the database's record says {known_hash}")
