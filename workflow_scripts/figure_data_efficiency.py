"""Draw scores against the number of trials that a model was trained or fine-tuned with."""

import argparse
from pathlib import Path

from neds.evaluation.tables import metrics_table
from neds.figures.data_efficiency import data_efficiency_figure
from neds.figures.save import draw
from neds.files.tables import read_csv
from workflow_scripts._command import run
from workflow_scripts._drawing import Drawing, drawing_parser


def main(arguments: argparse.Namespace) -> None:
    given, metrics, sessions = Drawing(arguments), metrics_table([arguments.metrics]), read_csv(arguments.sessions)
    curves = given.values["curves"]
    draw(lambda: data_efficiency_figure(metrics, sessions, given.modalities, curves=curves), arguments.output)


if __name__ == "__main__":
    parser = drawing_parser(__doc__, settings=", `curves` (lists of model labels by number of trials)")
    parser.add_argument("--sessions", type=Path, required=True, help="sessions table, CSV")
    run(main, parser)
