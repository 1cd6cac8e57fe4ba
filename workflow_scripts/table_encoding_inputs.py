"""Tabulate bits per spike from all behaviours, and from each one alone."""

import argparse

from neds.evaluation.tables import metrics_table
from neds.tables.encoding_inputs import encoding_inputs_table
from neds.tables.write import write_table
from workflow_scripts._command import run
from workflow_scripts._drawing import Drawing, drawing_parser


def main(arguments: argparse.Namespace) -> None:
    given, metrics = Drawing(arguments), metrics_table([arguments.metrics])
    table = encoding_inputs_table(metrics, given.modalities, models=given.values["models"], paper=given.paper)
    write_table(table, arguments.output)


if __name__ == "__main__":
    run(main, drawing_parser(__doc__, settings=", `models` (labels of the models), `paper` (its numbers)"))
