"""Tabulate every model's scores, mean and standard error over test sessions."""

import argparse

from neds.evaluation.tables import metrics_table
from neds.tables.benchmark import benchmark_table
from neds.tables.write import write_table
from workflow_scripts._command import run
from workflow_scripts._drawing import Drawing, drawing_parser


def main(arguments: argparse.Namespace) -> None:
    given, metrics = Drawing(arguments), metrics_table([arguments.metrics])
    table = benchmark_table(metrics, given.modalities, models=given.values["models"], paper=given.paper)
    write_table(table, arguments.output)


if __name__ == "__main__":
    run(main, drawing_parser(__doc__, settings=", `models` (labels of the models), `paper` (its numbers)"))
