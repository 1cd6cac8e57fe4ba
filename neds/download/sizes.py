"""Numbers of bytes for people."""


def readable_size(n_bytes: float) -> str:
    """A number of bytes in MB or GB (powers of ten)."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"
