"""The files in a folder on a server: of an open bucket of S3, or of a web server that shows its folders."""

import re
from urllib.parse import urljoin
from xml.etree import ElementTree

import requests

from neds.download.ranges import SecureSession, asked, plain_etag
from neds.download.retries import NETWORK_ERRORS, first_line, retried
from neds.errors import UserError
from neds.files.addresses import address_fault, bucket_and_key, bucket_url, is_in_bucket

_LINK = re.compile(r"""href\s*=\s*["']([^"'?#]+)["']""", re.IGNORECASE)


def listed(folder: str) -> dict[str, str]:
    """The ETag of each file in a folder, by the file's address, in their order; "" where the server does not list it.

    Args:
        folder: https://.../folder or s3://bucket/prefix.

    Raises:
        UserError: it cannot be listed.
    """
    folder = folder.rstrip("/")
    if fault := address_fault(f"{folder}/file"):
        raise UserError(fault)
    with SecureSession() as session:
        try:
            found = (_in_bucket if is_in_bucket(folder) else _in_index)(session, folder)
        except NETWORK_ERRORS as error:
            raise UserError(f"{folder}: cannot be listed ({first_line(error)}); run again later") from None
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
        following = page.findtext("{*}NextContinuationToken")
        if not following:
            return found
        asking["continuation-token"] = following


def _in_index(session: requests.Session, folder: str) -> dict[str, str]:
    """Those to which the page of the folder has links."""
    page = _content(session, f"{folder}/", folder, {}).decode(errors="replace")
    links = (urljoin(f"{folder}/", link) for link in _LINK.findall(page))
    return {link: "" for link in links if re.fullmatch(f"{re.escape(folder)}/[^/]+", link)}


def _content(session: requests.Session, url: str, folder: str, asking: dict[str, str]) -> bytes:
    def answer() -> bytes:
        with asked(session, url, folder, params=asking) as given:
            return given.content

    return retried(answer, what=folder)
