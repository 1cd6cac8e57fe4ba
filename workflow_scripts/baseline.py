"""Fit and score one baseline on one session."""

import argparse
from pathlib import Path
from typing import get_args

from neds.baselines.names import BaselineName
from neds.baselines.stage import run_baseline
from neds.evaluation.results import EvaluationFiles
from workflow_scripts._command import run


def main(arguments: argparse.Namespace) -> None:
    run_baseline(
        name=arguments.name,
        aligned=arguments.aligned,
        truth=arguments.truth,
        others=arguments.others,
        files=EvaluationFiles(arguments.metrics, arguments.units, arguments.predictions),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, choices=get_args(BaselineName))
    parser.add_argument("--aligned", type=Path, required=True, help="aligned session file")
    parser.add_argument("--truth", type=Path, help="true rates of a synthetic session, for the oracle")
    parser.add_argument("--others", type=Path, nargs="+", default=[], help="aligned files to fit with, for rrr-multi")
    parser.add_argument("--metrics", type=Path, required=True, help="CSV to write, one row per score")
    parser.add_argument("--units", type=Path, required=True, help="Parquet to write, one row per unit and task")
    parser.add_argument("--predictions", type=Path, required=True, help="HDF5 to write")
    run(main, parser)
