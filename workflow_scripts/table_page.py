"""Turn a table into a web page that can be sorted and filtered, for the report."""

import argparse
from pathlib import Path

from neds.files.atomic import write_text
from neds.files.tables import read_csv
from neds.tables.page import table_page
from workflow_scripts._command import run


def main(arguments: argparse.Namespace) -> None:
    table = read_csv(arguments.table, keep_default_na=False, na_values=[""])
    write_text(arguments.output, table_page(table, title=arguments.title))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, required=True, help="CSV to show")
    parser.add_argument("--title", required=True, help="heading of the page")
    parser.add_argument("--output", type=Path, required=True, help="HTML to write")
    run(main, parser)
