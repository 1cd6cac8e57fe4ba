"""Addresses of files on servers: which ones are read, and where the bytes of an object in a bucket lie.

Light: importing this imports nothing that speaks to a server.
"""

import os
from urllib.parse import quote, urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_BUCKETS = "s3://"


def is_address(text: str) -> bool:
    return "://" in text


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
        return "" if bucket and key else f"{address}: names no object in a bucket; write s3://BUCKET/KEY"
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
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        return f"{endpoint.rstrip('/')}/{bucket}"
    # The certificate of *.s3.amazonaws.com fits no name with a dot in it.
    return f"https://s3.amazonaws.com/{bucket}" if "." in bucket else f"https://{bucket}.s3.amazonaws.com"
