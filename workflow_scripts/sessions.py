"""Find sessions of an Alyx database: -> sessions sheet."""

import argparse
from datetime import date
from pathlib import Path

from neds.download.search import SessionQuery, search
from neds.download.settings import DownloadSettings
from neds.download.sheet import assign_roles, write_sheet
from neds.errors import UserError
from neds.roster import read_sheet
from workflow_scripts._command import run

PAPER_SHEET = Path(__file__).parents[1] / "sessions.tsv"
NO_LIMIT = (date(1970, 1, 1), date(2999, 12, 31))


def main(arguments: argparse.Namespace) -> None:
    if arguments.output.exists() and not arguments.force:
        raise UserError(f"{arguments.output} exists; name another file with --output, or add --force to replace it")
    dated = (arguments.since, arguments.until) != NO_LIMIT
    query = SessionQuery(
        tag=arguments.tag,
        lab=arguments.lab,
        subject=arguments.subject,
        projects=arguments.project,
        atlas_acronym=arguments.region,
        date_range=f"{arguments.since},{arguments.until}" if dated else None,
    )
    sessions = search(arguments.base_url, query, with_regions=arguments.regions)
    paper, _ = read_sheet(PAPER_SHEET, source="one")
    known = {session.eid: session.role for session in paper}
    roles = assign_roles(list(sessions["eid"]), test=arguments.test, known=known)
    asked = ", ".join(f"{name} {value}" for name, value in query.filters().items())
    origin = f"{arguments.base_url}, {asked}, asked on {date.today()}"
    write_sheet(arguments.output, sessions, roles=roles, origin=origin)
    print(f"{arguments.output}: {len(roles)} sessions, {roles.count('train')} train and {roles.count('test')} test")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", help="data release, e.g. 2022_Q2_IBL_et_al_RepeatedSite or Brainwidemap")
    parser.add_argument("--lab", help="name of a lab")
    parser.add_argument("--subject", help="name of a subject")
    parser.add_argument("--project", help="name of a project, or a part of it")
    parser.add_argument("--region", help="Allen acronym of a brain region that was recorded from")
    for option, limit, text in (("--since", NO_LIMIT[0], "first day"), ("--until", NO_LIMIT[1], "last day")):
        parser.add_argument(option, type=date.fromisoformat, default=limit, metavar="YYYY-MM-DD", help=text)
    parser.add_argument(
        "--test",
        type=float,
        metavar="N|SHARE",
        help="how many sessions get role test, or which share (below 1); default: those of the paper's 10 that are found",
    )
    parser.add_argument("--regions", action="store_true", help="add the regions of each session, which takes longer")
    parser.add_argument("--base-url", default=DownloadSettings().base_url, help="the Alyx database")
    parser.add_argument("--output", type=Path, default=Path("found_sessions.tsv"), help="sheet to write")
    parser.add_argument("--force", action="store_true", help="replace the sheet if it exists")
    run(main, parser)
