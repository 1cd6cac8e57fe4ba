"""Which of a computer's GPUs a job computes on, where no scheduler says it.

A job locks a part of a GPU, in percent: a range of bytes of a file that stands for it. The system takes the lock from a
process that is gone, however it ended, and `exec` keeps it. Light: no torch, unless GPUs have to be counted.
"""

import fcntl
import logging
import math
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path

from neds.files.private import private_folder

log = logging.getLogger(__name__)

WHOLE = 100
VISIBLE = "CUDA_VISIBLE_DEVICES"
_GIVEN_BY_SLURM = ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS")
_LOOK_AGAIN_S = 1.0


def take_gpus(
    percent: int | None,
    *,
    processes: int = 1,
    environment: MutableMapping[str, str] = os.environ,
    count: Callable[[], int] | None = None,
) -> None:
    """Take GPUs for this process, until it ends, and let it see these alone; to be called before CUDA is.

    Waits as long as other jobs of this user, of any workflow, hold them. GPUs that SLURM gave are used as they are, and
    without any there is nothing to take.

    Args:
        percent: of one GPU, or of so many as its hundreds are; 0: none. None: leave all as it is.
        processes: that train together; from two on each has a GPU for itself alone.
        environment: in which CUDA_VISIBLE_DEVICES names the GPUs to choose from, and is set.
        count: of the GPUs of this computer; by default torch counts them.

    Raises:
        UserError: there is no folder of this user's own to keep the locks in.
    """
    if percent is None or any(environment.get(name) for name in _GIVEN_BY_SLURM):
        return
    if percent == 0:
        environment[VISIBLE] = ""
        return
    gpus = visible_gpus(environment, count or _count)
    n_wanted = processes if processes > 1 else math.ceil(percent / WHOLE)
    if not gpus or n_wanted > len(gpus):
        # To say that there are too few is for whoever uses them.
        return
    files = _opened(gpus)
    share = WHOLE if n_wanted > 1 else percent
    is_told = False
    while True:
        try:
            taken = _taken(files, n_wanted, share)
        except OSError as error:
            log.warning("GPUs are not shared out: %s has no locks (%s)", _folder(), error.strerror)
            return
        if taken:
            environment[VISIBLE] = ",".join(taken)
            log.info("GPU %s of %d", environment[VISIBLE], len(gpus))
            return
        if not is_told:
            log.info("waiting for a GPU: other jobs hold all %d", len(gpus))
            is_told = True
        time.sleep(_LOOK_AGAIN_S)


def visible_gpus(environment: MutableMapping[str, str], count: Callable[[], int]) -> list[str]:
    """The GPUs that CUDA_VISIBLE_DEVICES names, up to the first that is none (as CUDA reads it), or all."""
    named = environment.get(VISIBLE)
    if named is None:
        return [str(index) for index in range(count())]
    gpus: list[str] = []
    for name in map(str.strip, named.split(",")):
        if name in ("", "NoDevFiles") or name.startswith("-") or name in gpus:
            break
        gpus.append(name)
    return gpus


def counted_by_driver(environment: MutableMapping[str, str] = os.environ) -> int:
    """How many GPUs jobs may use, without torch; 0 also where that cannot be told."""

    def count() -> int:
        tool = shutil.which("nvidia-smi")
        if tool is None:
            return 0
        try:
            listed = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=30)
        except (OSError, subprocess.TimeoutExpired):
            return 0
        return sum(line.startswith("GPU ") for line in listed.stdout.splitlines()) if listed.returncode == 0 else 0

    return len(visible_gpus(environment, count))


def _count() -> int:
    import torch

    return torch.cuda.device_count()


def _folder() -> Path:
    return private_folder(f"gpus-{platform.node()}")


def _opened(gpus: Sequence[str]) -> dict[str, int]:
    """A file for each GPU. They stay open: closing one, even another handle of it, would give up its locks."""
    folder = _folder()
    names = {gpu: "".join(c if c.isalnum() or c in "-_" else "_" for c in gpu) for gpu in gpus}
    return {gpu: os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600) for gpu, name in names.items()}


def _taken(files: dict[str, int], n_wanted: int, share: int) -> list[str]:
    """Lock a share of so many GPUs, first of those that nobody uses; none where fewer are free."""
    taken: dict[str, int] = {}
    for start in range(WHOLE - share + 1):
        for gpu, file in files.items():
            if gpu in taken or len(taken) == n_wanted:
                continue
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, share, start)
            except (BlockingIOError, PermissionError):
                continue
            taken[gpu] = start
    if len(taken) < n_wanted:
        for gpu, start in taken.items():
            fcntl.lockf(files[gpu], fcntl.LOCK_UN, share, start)
        return []
    for file in files.values():
        os.set_inheritable(file, True)
    return sorted(taken, key=list(files).index)
