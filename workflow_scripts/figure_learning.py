"""Draw learning curves: training loss and validation scores by epoch."""

import argparse
from pathlib import Path

from neds.errors import UserError
from neds.figures.learning import Run, learning_figure
from neds.figures.save import draw
from neds.files.tables import read_csv
from workflow_scripts._command import run
from workflow_scripts._drawing import Drawing, drawing_parser


def main(arguments: argparse.Namespace) -> None:
    given = Drawing(arguments)
    lists = [arguments.models, arguments.eids, arguments.seeds]
    if any(len(values) != len(arguments.logs) for values in lists):
        raise UserError("--models, --eids, --seeds: give one value for each file of --logs")
    runs = [Run(*known, read_csv(path)) for *known, path in zip(*lists, arguments.logs, strict=True)]
    draw(lambda: learning_figure(runs, given.modalities), arguments.output)


if __name__ == "__main__":
    parser = drawing_parser(__doc__, settings="", metrics=False)
    parser.add_argument("--logs", type=Path, nargs="+", required=True, help="validation log of each training, CSV")
    parser.add_argument("--models", nargs="+", required=True, help="label of each, e.g. neds-mm-scratch")
    parser.add_argument("--eids", nargs="+", required=True, help="session of each; - for several")
    parser.add_argument("--seeds", nargs="+", type=int, required=True, help="seed of each")
    run(main, parser)
