"""How much a sheet of sessions would download."""

import logging
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from neds.download.connection import connect, explained
from neds.download.remote import find_datasets
from neds.download.retries import retried
from neds.download.settings import DownloadSettings
from neds.download.sizes import readable_size
from neds.errors import UserError
from neds.words import counted

_log = logging.getLogger(__name__)


def amounts(eids: list[str], *, cache_dir: Path, settings: DownloadSettings) -> pd.DataFrame:
    """What each session needs: columns eid, files, bytes, bytes_missing, bytes_in_parts, problem (empty: none).

    Missing is what the cache lacks; in parts, what of this is recordings that will not be downloaded whole.

    Nothing is downloaded but the database's records, a few requests for each session.

    Raises:
        UserError: no account, a refused login, or a failing network.
    """
    url = settings.base_url.rstrip("/")
    rows = []
    with explained(url, what=f"asking {url}"):
        database = retried(partial(connect, url, cache_dir, pause_s=settings.pause_s), what=url)
        for number, eid in enumerate(eids, start=1):
            numbers = dict.fromkeys(("files", "bytes", "bytes_missing", "bytes_in_parts"), 0)
            row: dict[str, Any] = {"eid": eid, **numbers, "problem": ""}
            try:
                datasets = retried(partial(find_datasets, database, eid, settings), what=f"session {eid}")
            except UserError as error:
                row["problem"] = str(error)
            else:
                row |= {"files": len(datasets), "bytes": int(datasets["file_size"].sum())}
                missing = database.missing(datasets)
                row["bytes_missing"] = int(missing["file_size"].sum())
                row["bytes_in_parts"] = int(missing.loc[missing["in_parts"], "file_size"].sum())
            rows.append(row)
            _log.info(
                "%d of %d: %s", number, len(eids), row["problem"] or f"session {eid}, {readable_size(row['bytes'])}"
            )
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame, *, cache_dir: Path) -> str:
    """One sentence about `amounts`."""
    existing = next(folder for folder in (cache_dir, *cache_dir.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(existing).free
    n_usable = (table["problem"] == "").sum()
    total, missing = readable_size(table["bytes"].sum()), readable_size(table["bytes_missing"].sum())
    in_parts = table["bytes_in_parts"].sum()
    less = f", {readable_size(in_parts)} of them recordings of which only parts are fetched" if in_parts else ""
    files = counted(int(table["files"].sum()), "file")
    return (
        f"{n_usable} of {counted(len(table), 'session')} can be downloaded: {files}, {total}, of which {missing} "
        f"are not in {cache_dir} yet{less}; {readable_size(free)} are free there"
    )
