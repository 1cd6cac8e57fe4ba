"""How much memory is there to be had."""

import os
from pathlib import Path


def available_bytes() -> int | None:
    """Memory that can be taken without swapping, or None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def readable_gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
