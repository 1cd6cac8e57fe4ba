"""Addresses of files on servers: which ones are read, and where the bytes of an object in a bucket lie.

Light: importing this imports nothing that speaks to a server.
"""

import os
import re
from urllib.parse import quote, urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_BUCKETS = "s3://"
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_SLASHES_WRONG = re.compile("(s3|https?):(/|///+)?(?!/)(.+)")


def is_address(text: str) -> bool:
    return "://" in text


def misspelt_address(text: str) -> str:
    """What is wrong with an address that has too few or too many slashes, in a sentence; empty for all others, and paths."""
    found = _SLASHES_WRONG.fullmatch(text)
    return f"{text}: is neither an address nor a path; write {found[1]}://{found[3]}" if found else ""


def is_secure(url: str, *, from_loopback: bool) -> bool:
    """Whether an address is of https, or of this computer, to which only this computer may lead."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and from_loopback and parts.hostname in LOOPBACK)


def address_fault(address: str) -> str:
    """Why no file is read from an address, in a sentence; empty where it may be."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        return f"{address}: is no address ({error})"
    if is_in_bucket(address):
        bucket, key = bucket_and_key(address)
        if not (bucket and key):
            return f"{address}: names no object in a bucket; write s3://BUCKET/KEY"
        return _endpoint_fault()
    if parts.username or parts.password:
        return f"{address}: has an account in it, which would stand in logs and results; download the file"
    if not parts.hostname or not is_secure(address, from_loopback=True):
        return f"{address}: files are read from https:// and s3:// only; download it"
    return ""


def is_in_bucket(address: str) -> bool:
    return address.startswith(_BUCKETS)


def bucket_and_key(address: str) -> tuple[str, str]:
    """Of an object in a bucket of S3, or of the folder that a prefix stands for."""
    bucket, _, key = address.removeprefix(_BUCKETS).partition("/")
    return bucket, key


def url_of(address: str) -> str:
    """Where anybody may read the bytes of a file: of an object in an open bucket, too."""
    if not is_in_bucket(address):
        return address
    bucket, key = bucket_and_key(address)
    return f"{bucket_url(bucket)}/{quote(key)}"


def bucket_url(bucket: str) -> str:
    """Where a bucket lies: at Amazon, or at the server that AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL names, as for other
    programs.
    """
    if name := _endpoint_name():
        return f"{os.environ[name].rstrip('/')}/{bucket}"
    # The certificate of *.s3.amazonaws.com fits no name with a dot in it.
    return f"https://s3.amazonaws.com/{bucket}" if "." in bucket else f"https://{bucket}.s3.amazonaws.com"


def where_buckets_lie(address: str) -> str:
    """On which server the bucket of an address is looked for, to end a message with; empty for other addresses."""
    if not is_in_bucket(address):
        return ""
    if name := _endpoint_name():
        return f"; buckets are looked for at {host_of(os.environ[name])}, which {name} names"
    return f"; buckets are looked for at Amazon: for another server set {_ENDPOINTS[0]}=https://SERVER"


def host_of(url: str) -> str:
    """Host and port, without an account."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _endpoint_fault() -> str:
    """Why no server can be asked for buckets, in a sentence. The value may hold an account, and is not repeated."""
    name = _endpoint_name()
    if not name:
        return ""
    endpoint = os.environ[name]
    if "@" in endpoint:
        return f"{name}: has an account in it; open buckets are read without one"
    try:
        parts = urlsplit(endpoint)
        # A port is looked at when it is asked for.
        is_server = parts.hostname and parts.port != 0 and is_secure(endpoint, from_loopback=True)
    except ValueError:
        is_server = False
    return "" if is_server else f"{name}: is no address that is read from; write {name}=https://SERVER"


def _endpoint_name() -> str:
    """The variable that says where buckets lie; empty where none does."""
    return next((name for name in _ENDPOINTS if os.environ.get(name)), "")
