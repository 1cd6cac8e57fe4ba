"""`neds sessions`: from a query to a sheet that the workflow takes."""

from datetime import date
from pathlib import Path

from neds.download.settings import DownloadSettings
from neds.errors import UserError
from neds.roster import read_sheet
from neds.words import counted

PAPER_SHEET = Path(__file__).parents[1] / "paper_sessions.tsv"
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2999, 12, 31)


def find_sessions(
    *,
    tag: str | None = None,
    lab: str | None = None,
    subject: str | None = None,
    project: str | None = None,
    region: str | None = None,
    since: date = FIRST_DAY,
    until: date = LAST_DAY,
    test: float | None = None,
    regions: bool = False,
    base_url: str = DownloadSettings().base_url,
    output: Path = Path("found_sessions.tsv"),
    force: bool = False,
) -> str:
    """Find sessions of an Alyx database: -> sessions sheet.

    Args:
        tag: data release, e.g. 2022_Q2_IBL_et_al_RepeatedSite or Brainwidemap.
        lab: name of a lab.
        subject: name of a subject.
        project: name of a project, or a part of it.
        region: Allen acronym of a brain region that was recorded from.
        since: first day, YYYY-MM-DD.
        until: last day, YYYY-MM-DD.
        test: how many sessions get role test, or which share (below 1); default: those of the paper's 10 that are found.
        regions: add the regions of each session, which takes longer.
        base_url: the Alyx database.
        output: sheet to write.
        force: replace the sheet if it exists.

    Raises:
        UserError: the sheet exists, a query that finds nothing, or a failing network.
    """
    if output.exists() and not force:
        raise UserError(f"{output} exists; name another file with --output, or add --force to replace it")
    # Here, because help should not wait for ONE.
    from neds.download.search import SessionQuery, search
    from neds.download.sheet import assign_roles, write_sheet

    dated = (since, until) != (FIRST_DAY, LAST_DAY)
    query = SessionQuery(
        tag=tag,
        lab=lab,
        subject=subject,
        projects=project,
        atlas_acronym=region,
        date_range=f"{since},{until}" if dated else None,
    )
    sessions = search(base_url, query, with_regions=regions)
    paper, _ = read_sheet(PAPER_SHEET, source="one")
    known = {session.eid: session.role for session in paper}
    roles = assign_roles(list(sessions["eid"]), test=test, known=known)
    asked = ", ".join(f"{name} {value}" for name, value in query.filters().items())
    write_sheet(output, sessions, roles=roles, origin=f"{base_url}, {asked}, asked on {date.today()}")
    return f"{output}: {counted(len(roles), 'session')}, {roles.count('train')} train and {roles.count('test')} test"
