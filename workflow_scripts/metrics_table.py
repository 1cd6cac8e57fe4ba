"""Collect the metrics of all evaluations into one table."""

import argparse
from pathlib import Path

from neds.evaluation.tables import metrics_table
from neds.files.atomic import write_csv
from workflow_scripts._command import run


def main(arguments: argparse.Namespace) -> None:
    write_csv(arguments.output, metrics_table(arguments.metrics))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", type=Path, nargs="+", required=True, help="metrics CSV of each evaluation")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    run(main, parser)
