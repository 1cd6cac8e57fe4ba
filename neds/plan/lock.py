"""One workflow at a time in a folder of results, and what it was planned with."""

import fcntl
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neds.errors import UserError

FILE = ".workflow.json"


class ResultsLock:
    """Held by the workflow that writes to a folder of results, from its first job to its end.

    The system takes it from a process that is gone, however it ended. The file beside tells other processes, such as the
    workflow's own jobs on other computers, who holds it and what the jobs were planned with.
    """

    def __init__(self, results: Path) -> None:
        self._path = Path(results) / FILE
        self._handle: Any = None

    def take(self, planned: Mapping[str, Any]) -> str:
        """Take it for this process.

        Args:
            planned: JSON-able: what jobs are checked against.

        Returns:
            What keeps the folder from being locked; empty where nothing does.

        Raises:
            UserError: another workflow holds it.
        """
        note = ""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = open(self._path, "a+", encoding="utf-8")  # noqa: SIM115 (held until the end)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read(self._path)
            raise UserError(
                f"{self._path.parent}: another workflow writes to this folder (process {holder.get('pid', '?')} on "
                f"{holder.get('host', '?')}); wait for its end, or name another folder under `results`"
            ) from None
        except OSError as error:
            note = (
                f"{self._path.parent}: this file system has no locks ({error.strerror}); see to it that no other workflow "
                "writes to this folder"
            )
        handle.truncate(0)
        json.dump({"host": platform.node(), "pid": os.getpid(), **planned}, handle)
        handle.flush()
        self._handle = handle
        return note

    def release(self) -> None:
        if self._handle is not None:
            self._path.unlink(missing_ok=True)
            self._handle.close()
            self._handle = None


def planned_with(results: Path) -> dict[str, Any]:
    """What the workflow that holds the folder was planned with; empty where none does."""
    return _read(Path(results) / FILE)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
