"""The files of one session as ONE finds them: brought to the disk, checked, and recorded for the provenance."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from one.alf.exceptions import ALFError, ALFObjectNotFound
from one.alf.path import ALFPath, rel_path_parts
from one.api import One

from neds.download.remote_file import RemoteFile
from neds.download.verified import VerifyingOne
from neds.errors import UserError
from neds.files.md5 import md5_of


class Unavailable(Exception):
    """A part of a session cannot be loaded; the message is the reason, one sentence."""


class SessionFiles:
    """One session of a ONE instance.

    Attributes:
        one, eid: the instance, and the session's id within it.
        revision: newest dataset revision to use, or None for ONE's choice.
        path: the session's folder on this machine.
    """

    def __init__(self, one: One, eid: str, *, revision: str | None):
        self.one = one
        self.eid = eid
        self.revision = revision
        self.path: ALFPath = one.eid2path(eid)
        self._used: set[Path] = set()
        self._read_in_parts: list[str] = []

    def collection_of(self, filename: str, *, default: str) -> str:
        """The collection that holds the dataset `filename`, or `default` when none does.

        Raises:
            Unavailable: several collections hold it.
        """
        found = self.collections_with(filename)
        if len(found) > 1:
            raise Unavailable(f"{filename} is in several collections ({', '.join(found)})")
        return found[0] if found else default

    def collections_with(self, start: str) -> list[str]:
        """Collections, sorted, of the available datasets whose names begin with `start`."""
        paths = [path for path in self.available() if Path(path).name.startswith(start)]
        return sorted({rel_path_parts(path, assert_valid=False)[0] or "" for path in paths})

    def available(self) -> list[str]:
        """Paths, relative to the session's folder, of all datasets but those of a revision later than `revision`."""
        paths = self.one.list_datasets(self.eid)
        return [path for path in paths if self.revision is None or _revision(path) <= self.revision]

    def probes(self) -> list[str]:
        """Names of the session's probes, sorted, those without a spike sorting too."""
        names = set()
        for relative in self.available():
            top, *folders, dataset = Path(relative).parts
            if not folders or top not in ("alf", "raw_ephys_data"):
                continue
            if folders[0].startswith("probe") or (top == "alf" and dataset.startswith("spikes.times")):
                names.add(folders[0])
        return sorted(names)

    def find(self, name: str, *, needed: tuple[str, ...] = (), **filters: Any) -> list[ALFPath]:
        """Bring the datasets of the ALF object `name` to the disk, or, while the instance plans, note that they are needed.

        Args:
            needed: attributes without which the object is of no use.
            filters: collection and attribute, as for ONE's `load_object`.

        Raises:
            Unavailable: the session has no such object, it is ambiguous, or a needed attribute is missing.
        """
        collection = filters.get("collection")
        there = [rel_path_parts(path, as_dict=True, assert_valid=False) for path in self.available()]
        there = [parts for parts in there if parts.get("object") == name and collection in (None, parts["collection"])]
        if not there:
            raise Unavailable(f"the session has no {name} datasets")
        missing = [attribute for attribute in needed if attribute not in {parts["attribute"] for parts in there}]
        if missing:
            raise Unavailable(f"the session has no {' and no '.join(f'{name}.{attribute}' for attribute in missing)}")
        try:
            return self.one.load_object(self.eid, name, revision=self.revision, download_only=True, **filters)
        except ALFObjectNotFound:
            raise Unavailable(f"the session has no {name} datasets") from None
        except ALFError as error:
            raise Unavailable(f"{name} is ambiguous: {error.message}") from None

    def find_paths(self, paths: list[str]) -> list[ALFPath]:
        """Likewise the datasets of the given `available` paths, in the same order."""
        return [self.one.load_dataset(self.eid, path, download_only=True) for path in paths]

    def remote_file(self, path: str) -> RemoteFile | None:
        """The dataset of the given `available` path, to be read in parts where it lies on a server; None: find it whole."""
        if not isinstance(self.one, VerifyingOne):
            return None
        remote = self.one.remote_file(self.eid, path)
        if remote:
            self._read_in_parts.append(path)
        return remote

    def use(self, files: list[ALFPath]) -> dict[str, ALFPath]:
        """Check the files that were found and note them for the record; they come back by attribute.

        Raises:
            UserError: a damaged file, or an array of Python objects.
        """
        for file in files:
            _check_readable(file)
        self._used.update(files)
        return {file.attribute: file for file in files}

    def record(self) -> list[dict]:
        """The datasets used so far: collection, name, revision, hash (MD5) and size in bytes.

        Where only parts of one were read, `in_parts` is true, and hash and size are the database's, of the whole.
        """
        table = self.one.list_datasets(self.eid, details=True).set_index("rel_path")
        entries = []
        for path in self._read_in_parts:
            known = table.loc[path]
            about = {"hash": known["hash"] or "", "size": int(known["file_size"]), "in_parts": True}
            entries.append(_named(path) | about)
        for file in sorted(self._used):
            path = file.relative_to(self.path).as_posix()
            known_hash = table["hash"].get(path)
            entries.append(_named(path) | {"hash": known_hash or md5_of(file), "size": file.stat().st_size})
        return sorted(entries, key=lambda entry: (entry["collection"], entry["revision"], entry["name"]))


def _named(path: str) -> dict[str, str]:
    collection, revision, *_ = rel_path_parts(path)
    return {"collection": collection or "", "name": Path(path).name, "revision": revision or ""}


def _revision(path: str) -> str:
    return rel_path_parts(path, assert_valid=False)[1] or ""


def _check_readable(file: Path) -> None:
    # ONE reads arrays with allow_pickle=True, so arrays of objects have to be turned away before it sees them.
    try:
        if file.suffix == ".npy":
            np.load(file, mmap_mode="r", allow_pickle=False)
        elif file.suffix == ".pqt":
            pq.read_metadata(file)
    except (ValueError, EOFError) as error:
        raise UserError(
            f"{file}: damaged, or an array of Python objects, which are not loaded ({str(error).splitlines()[0]}); "
            "delete or replace it and run again"
        ) from None
