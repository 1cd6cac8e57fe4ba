"""Checksums of files, as the IBL's database records them."""

import hashlib
from pathlib import Path


def md5_of(path: Path) -> str:
    """MD5 of a file's bytes, in hexadecimal digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "md5").hexdigest()
