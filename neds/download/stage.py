"""The download stage: one session, from an ALF folder or a database, to a raw file."""

from pathlib import Path
from typing import Literal

from neds.download.local import load_local
from neds.download.remote import load_remote
from neds.download.settings import DownloadSettings
from neds.errors import UserError
from neds.files.raw import write_raw


def download(
    *,
    source: Literal["alf", "one"],
    eid: str,
    output: Path,
    settings: DownloadSettings,
    session_path: str = "",
    alf_root: Path | None = None,
    cache_dir: Path | None = None,
) -> None:
    """Load one session and write it to the raw file `output`.

    Args:
        session_path, alf_root: for source alf, the session's folder and the folder it is relative to.
        cache_dir: for source one, the folder of downloaded files. One download at a time may use it.

    `alf_root` and `cache_dir` default to those of `settings`.

    Raises:
        UserError: whatever keeps the session from being loaded.
    """
    if source == "alf":
        root = alf_root or settings.alf_root
        if not root:
            raise UserError("download.alf_root is not set; name the folder that holds lab/Subjects/...")
        session = load_local(alf_root=Path(root), session_path=session_path, eid=eid, settings=settings)
    else:
        cache = cache_dir or settings.cache_dir
        if not cache:
            raise UserError("download.cache_dir is not set; name a folder for the downloaded files")
        session = load_remote(eid=eid, cache_dir=Path(cache), settings=settings)
    write_raw(output, session)
