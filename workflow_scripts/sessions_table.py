"""List all sessions: what was kept, what was dropped and why, and which cannot be used."""

import argparse
import json
from pathlib import Path

from neds.files.atomic import write_csv
from neds.partition.sessions_table import sessions_table
from workflow_scripts._command import run


def main(arguments: argparse.Namespace) -> None:
    write_csv(arguments.output, sessions_table(arguments.aligned, json.loads(arguments.roles)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aligned", type=Path, nargs="+", required=True, help="aligned session files")
    parser.add_argument("--roles", required=True, metavar="JSON", help="role of each session, by EID")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    run(main, parser)
