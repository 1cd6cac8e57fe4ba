"""Processes of this machine, and the signals that end them."""

import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def is_alive(pid: int) -> bool:
    """Whether this machine runs a process of that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True


@contextmanager
def signalled_to_stop() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether SIGTERM or SIGINT came; within the block they do nothing else.

    Torchrun's processes get such a signal twice, from whoever sends it and from torchrun, so a second one is not different.
    """
    came = threading.Event()
    before = {number: signal.signal(number, lambda *_: came.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield came.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_with_workflow() -> None:
    """Send this process SIGTERM once the Snakemake that started it is gone (rules/common.smk names it).

    A job that outlived a Snakemake killed with SIGKILL could write its outputs over those of the next one.
    """
    host, _, pid = os.environ.get("NEDS_SNAKEMAKE", "").partition("/")
    if host != platform.node() or not is_alive(int(pid)):
        return

    def watch() -> None:
        while is_alive(int(pid)):
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
