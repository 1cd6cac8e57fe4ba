"""List the versions of all installed software."""

import argparse
from pathlib import Path

from neds.environment import software_versions
from neds.files.atomic import write_csv
from workflow_scripts._command import run


def main(arguments: argparse.Namespace) -> None:
    write_csv(arguments.output, software_versions())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    run(main, parser)
