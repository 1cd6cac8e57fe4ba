"""The files in a folder on a server: of an open bucket of S3, or of a web server that shows its folders."""

import re
from urllib.parse import urljoin
from xml.etree import ElementTree

import requests

from neds.download.ranges import SecureSession, asked, plain_etag
from neds.download.retries import NETWORK_ERRORS, cause_of, retried
from neds.errors import UserError
from neds.files.addresses import address_fault, bucket_and_key, bucket_url, is_in_bucket, where_buckets_lie

_LINK = re.compile(r"""href\s*=\s*["']([^"'?#]+)["']""", re.IGNORECASE)


def listed(folder: str) -> dict[str, str]:
    """The ETag of each file in a folder, by the file's address, in their order; "" where the server does not list it.

    Args:
        folder: https://.../folder or s3://bucket/prefix.

    Raises:
        UserError: it cannot be listed; NotThere where the server has none.
    """
    return {address: etag for address, etag in _entries(folder).items() if not address.endswith("/")}


def names_in(folder: str) -> list[str]:
    """The names of the files in a folder and of its own folders, these with a / at the end, in their order.

    Raises:
        UserError: as for `listed`.
    """
    return [address.removeprefix(f"{folder.rstrip('/')}/") for address in _entries(folder)]


def _entries(folder: str) -> dict[str, str]:
    """As `listed`, and the folders in it, whose addresses end with a /."""
    folder = folder.rstrip("/")
    if fault := address_fault(f"{folder}/file"):
        raise UserError(fault)
    with SecureSession() as session:
        try:
            found = (_in_bucket if is_in_bucket(folder) else _in_index)(session, folder)
        except NETWORK_ERRORS as error:
            raise UserError(
                f"{folder}: cannot be listed ({cause_of(error)}); run again later{where_buckets_lie(folder)}"
            ) from None
        except ElementTree.ParseError as error:
            raise UserError(f"{folder}: its server gives no list of a bucket ({error})") from None
    return dict(sorted(found.items()))


def _in_bucket(session: requests.Session, folder: str) -> dict[str, str]:
    bucket, prefix = bucket_and_key(f"{folder}/")
    found: dict[str, str] = {}
    asking = {"list-type": "2", "prefix": prefix, "delimiter": "/"}
    while True:
        page = ElementTree.fromstring(_content(session, f"{bucket_url(bucket)}/", folder, asking))
        for entry in page.iterfind("{*}Contents"):
            key = entry.findtext("{*}Key", "")
            # Of a folder some programs make an object of no bytes.
            if key != prefix:
                found[f"s3://{bucket}/{key}"] = plain_etag(entry.findtext("{*}ETag", ""))
        folders = page.iterfind("{*}CommonPrefixes")
        found |= {f"s3://{bucket}/{entry.findtext('{*}Prefix', '')}": "" for entry in folders}
        following = page.findtext("{*}NextContinuationToken")
        if not following:
            return found
        asking["continuation-token"] = following


def _in_index(session: requests.Session, folder: str) -> dict[str, str]:
    """Those to which the page of the folder has links."""
    page = _content(session, f"{folder}/", folder, {}).decode(errors="replace")
    links = (urljoin(f"{folder}/", link) for link in _LINK.findall(page))
    return {link: "" for link in links if re.fullmatch(f"{re.escape(folder)}/[^/]+/?", link)}


def _content(session: requests.Session, url: str, folder: str, asking: dict[str, str]) -> bytes:
    def answer() -> bytes:
        with asked(session, url, folder, params=asking) as given:
            return given.content

    return retried(answer, what=folder)
