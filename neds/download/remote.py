"""A session of an Alyx database, through ONE-api."""

from functools import partial
from pathlib import Path

import pandas as pd
from one.alf.spec import is_uuid_string

from neds.download.connection import connect_once_for_all, explained
from neds.download.loaders import load_session, needed_datasets
from neds.download.retries import retried
from neds.download.settings import DownloadSettings
from neds.download.verified import VerifyingOne
from neds.errors import UserError
from neds.files.raw import RawSession


def load_remote(*, eid: str, cache_dir: Path, settings: DownloadSettings) -> RawSession:
    """Load one session from the database `settings.base_url`, downloading what `cache_dir` does not hold yet.

    All datasets that are needed are brought to the cache and verified before the first of them is loaded, but for
    recordings that are read in parts.

    The account is taken from the environment (ONE_TOKEN, or ONE_USERNAME and ONE_PASSWORD), where it is for this database,
    else from ONE's stored parameters. Nothing is asked; ONE keeps the token that it is given in its parameters, as always.

    Raises:
        UserError: no account, a refused login, an unknown session, a failing network, a session without trials, or a
            damaged file.
    """
    url = settings.base_url.rstrip("/")
    with explained(url, what=f"session {eid}: the download from {url}"):
        database = connect_once_for_all(url, cache_dir, pause_s=settings.pause_s)
        datasets = retried(partial(find_datasets, database, eid, settings), what=f"session {eid}")
        database.bring(datasets[~datasets["in_parts"]])
        return load_session(database, one_eid=eid, eid=eid, source="one", settings=settings)


def find_datasets(database: VerifyingOne, eid: str, settings: DownloadSettings) -> pd.DataFrame:
    """Records of the datasets that loading a session needs, indexed by session and dataset id.

    Column `in_parts`: whether only parts of the file are read.

    Raises:
        UserError: an unknown session, or one without trials.
        one of NETWORK_ERRORS: the network fails.
    """
    # ONE refuses UUIDs of the versions that Alyx never makes.
    if not is_uuid_string(eid) or database.eid2path(eid) is None:
        raise UserError(
            f"session {eid}: {database.alyx.base_url} has no such session, or your account may not see it; check the eid"
        )
    return needed_datasets(database, eid=eid, settings=settings)
