"""Draw scores against the number of sessions that a model was pretrained on."""

import argparse
from pathlib import Path

from neds.evaluation.tables import metrics_table
from neds.figures.pretraining_size import pretraining_size_figure
from neds.figures.save import draw
from neds.files.tables import read_csv
from workflow_scripts._command import run
from workflow_scripts._drawing import Drawing, drawing_parser


def main(arguments: argparse.Namespace) -> None:
    given, metrics, sessions = Drawing(arguments), metrics_table([arguments.metrics]), read_csv(arguments.sessions)
    chosen = {key: given.values[key] for key in ("sets", "curves")}
    draw(lambda: pretraining_size_figure(metrics, sessions, given.modalities, **chosen), arguments.output)


if __name__ == "__main__":
    parser = drawing_parser(__doc__, settings=", `sets` (EIDs by name), `curves` (lists of model labels by set)")
    parser.add_argument("--sessions", type=Path, required=True, help="sessions table, CSV")
    run(main, parser)
