"""The download stage: one session, from an ALF folder or a database, to a raw file."""

from pathlib import Path
from typing import Literal

from neds.download.local import load_local
from neds.download.remote import load_remote
from neds.download.settings import DownloadSettings
from neds.errors import UserError
from neds.files.raw import write_raw
from neds.files.roles import Operational, OutputFile


def download(
    *,
    source: Literal["alf", "one"],
    eid: str,
    output: OutputFile,
    settings: DownloadSettings,
    session_path: str = "",
    alf_root: Operational[Path] | None = None,
    cache_dir: Operational[Path] | None = None,
    pause_ms: Operational[int] | None = None,
) -> dict[str, Path]:
    """Load one session and write it to the raw file `output`.

    Args:
        source: alf for an ALF folder, one for the database.
        eid: session id.
        output: raw session file to write.
        settings: config block `download`.
        session_path: source alf: the session's folder in `alf_root`, lab/Subjects/subject/date/number.
        alf_root: source alf: the folder that holds lab/Subjects/...; that of the settings when omitted.
        cache_dir: source one: folder of the downloaded files, which one download at a time may use; by default that of
            the settings.
        pause_ms: source one: pause between downloads, in place of that of the settings.

    Returns:
        The local files that the session was read from, by their path in the session's folder; none for a database, whose
        datasets the raw file names.

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
        read = _local_files(Path(root, session_path.strip("/")), settings)
    else:
        cache = cache_dir or settings.cache_dir
        if not cache:
            raise UserError("download.cache_dir is not set; name a folder for the downloaded files")
        session = load_remote(eid=eid, cache_dir=Path(cache), settings=settings)
        read = {}
    write_raw(output, session)
    return read


def _local_files(folder: Path, settings: DownloadSettings) -> dict[str, Path]:
    """The files of a session's folder that a download reads: all of `alf`, and the LFP where it is wanted."""
    lfp = folder.glob("raw_ephys_data/*/*.lf.*") if "lfp" in (settings.extras or []) else ()
    files = sorted(path for path in (*folder.glob("alf/**/*"), *lfp) if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in files}
