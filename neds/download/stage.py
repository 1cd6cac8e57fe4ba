"""The download stage: one session, from an ALF folder or a database, to a raw file."""

from pathlib import Path
from typing import Literal

from neds.download.local import load_local
from neds.download.remote import load_remote
from neds.download.settings import DownloadSettings
from neds.errors import UserError
from neds.files.raw import write_raw
from neds.files.roles import InputFiles, Operational, OutputFile


def download(
    *,
    source: Literal["alf", "one"],
    eid: str,
    output: OutputFile,
    settings: DownloadSettings,
    session_path: str = "",
    files: InputFiles = (),
    alf_root: Operational[Path] | None = None,
    cache_dir: Operational[Path] | None = None,
    pause_ms: Operational[int] | None = None,
) -> None:
    """Load one session and write it to the raw file `output`.

    Args:
        source: alf for an ALF folder, one for the database.
        eid: session id.
        output: raw session file to write.
        settings: config block `download`.
        session_path: source alf: the session's folder in `alf_root`, lab/Subjects/subject/date/number.
        files: source alf: all files of the session that count; when one of them changes, the raw file is stale.
        alf_root: source alf: the folder that holds lab/Subjects/...; that of the settings when omitted.
        cache_dir: source one: folder of the downloaded files, which one download at a time may use; by default that of
            the settings.
        pause_ms: source one: pause between downloads, in place of that of the settings.

    Raises:
        UserError: whatever keeps the session from being loaded.
    """
    if pause_ms is not None:
        settings = settings.model_copy(update={"pause_s": pause_ms / 1000})
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
