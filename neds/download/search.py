"""Sessions of an Alyx database that answer a query."""

import logging
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from iblatlas.regions import BrainRegions
from one.webclient import AlyxClient

from neds.download.connection import connect, explained
from neds.download.retries import retried
from neds.errors import UserError

_log = logging.getLogger(__name__)
ALIGNED_HISTOLOGY = "Ephys aligned histology track"
SESSIONS_PER_REQUEST = 50


@dataclass(frozen=True, kw_only=True)
class SessionQuery:
    """What sessions must fulfil, as the filters of the same names of Alyx's list of sessions take it; None: anything.

    Attributes:
        tag: name of a data release, of which a dataset of the session is part.
        lab, subject, projects: names, of subject and projects a part is enough.
        atlas_acronym: Allen acronym of a region in which the session has channels.
        date_range: first and last day, "YYYY-MM-DD,YYYY-MM-DD".
    """

    tag: str | None = None
    lab: str | None = None
    subject: str | None = None
    projects: str | None = None
    atlas_acronym: str | None = None
    date_range: str | None = None

    def filters(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value}


def search(base_url: str, query: SessionQuery, *, with_regions: bool = False) -> pd.DataFrame:
    """Sessions with a probe that answer a query, by EID: columns eid, subject, lab, date, probes, all text.

    Args:
        base_url: the database.
        with_regions: add a column `regions`, Beryl acronyms of the regions in which the database knows channels, which takes
            a request for each session and one for each probe.

    Raises:
        UserError: an empty query, a filter that the database lacks, no session found, no account, a refused login, or a
            failing network.
    """
    url = base_url.rstrip("/")
    with explained(url, what=f"searching {url}"), tempfile.TemporaryDirectory(prefix="neds-search-") as folder:
        alyx = retried(partial(connect, url, Path(folder), pause_s=0), what=url).alyx
        return retried(partial(_find, alyx, query, with_regions), what=url)


def _find(alyx: AlyxClient, query: SessionQuery, with_regions: bool) -> pd.DataFrame:
    filters = query.filters()
    if not filters:
        raise UserError("nothing to search for; give a tag, a lab, a subject, a project, a region or dates")
    unknown = set(filters) - set(alyx.rest_schemes.field_names("sessions", "list"))
    if unknown:
        # Alyx ignores what it does not know and lists all its sessions.
        raise UserError(f"{alyx.base_url}: cannot search by {', '.join(sorted(unknown))}; leave it out")
    described = ", ".join(f"{name} {value}" for name, value in filters.items())
    found = {record["id"]: record for record in _all(alyx.rest("sessions", "list", **filters))}
    if not found:
        raise UserError(
            f"{alyx.base_url}: no session has {described}, as far as your account may see; check the spelling"
        )
    probes = _probes(alyx, sorted(found))
    _log.info("%s: %d sessions, %d of them without a probe, left out", described, len(found), len(found) - len(probes))
    table = pd.DataFrame(
        {
            "eid": eid,
            "subject": found[eid]["subject"],
            "lab": found[eid]["lab"],
            "date": found[eid]["start_time"][:10],
            "probes": ",".join(names),
        }
        for eid, names in probes.items()
    )
    if with_regions:
        table["regions"] = [",".join(_regions(alyx, eid)) for eid in table["eid"]]
    return table


def _probes(alyx: AlyxClient, eids: list[str]) -> dict[str, list[str]]:
    """Names of the probes of each session that has some."""
    probes: dict[str, list[str]] = {}
    for start in range(0, len(eids), SESSIONS_PER_REQUEST):
        wanted = eids[start : start + SESSIONS_PER_REQUEST]
        for record in _all(alyx.rest("insertions", "list", django=f"session__in,{wanted}")):
            probes.setdefault(record["session"], []).append(record["name"])
    return {eid: sorted(probes[eid]) for eid in eids if eid in probes}


def _regions(alyx: AlyxClient, eid: str) -> list[str]:
    """Beryl acronyms of the regions of a session's channels, sorted; none where histology is not registered yet."""
    tracks = _all(alyx.rest("trajectories", "list", session=eid, provenance=ALIGNED_HISTOLOGY))
    ids = [
        channel["brain_region"]
        for track in tracks
        for channel in _all(alyx.rest("channels", "list", trajectory_estimate=track["id"]))
    ]
    if not ids:
        return []
    names = BrainRegions().id2acronym(np.unique(ids), mapping="Beryl")
    return sorted(set(names) - {"root", "void"})


def _all(records: Iterable[dict]) -> list[dict]:
    """All of a list that comes page by page."""
    records = list(records)
    if None in records:
        raise UserError("the database changed while its answer was read; search again")
    return records
